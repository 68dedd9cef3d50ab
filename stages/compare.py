"""Stage `compare`: all experiments in one table and its pictures, under `reports/`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from pipeline.common import paths
from pipeline.common.files import write_text
from pipeline.data.storage.line_store import read_attributes, read_lines
from pipeline.data.storage.lines import Lines
from pipeline.plots.predictions import draw_predictions
from pipeline.report.analysis.confusions import best_result, confusion_table
from pipeline.report.analysis.rates import Rates, resample_rates
from pipeline.report.analysis.results import Result, read_result
from pipeline.report.analysis.single_changes import find_single_changes
from pipeline.report.figures.cer_chart import draw_error_rates
from pipeline.report.pages.comparison import comparison_page, comparison_table, summary, write_table
from pipeline.report.pages.html import report_page
from pipeline.runtime.machine import describe_machine
from pipeline.settings.base import read_params, read_section
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings
from pipeline.tracking.comparisons import log_comparison
from pipeline.tracking.outputs import comparison_of

OUTPUT = Path("reports")
SHOWN = 4
"""Test lines of each data set in the picture of readings."""


def run(experiments: Mapping[str, ExperimentSettings], training: TrainingSettings, output: Path) -> None:
    """Write comparison.csv, comparison.md, confusions.csv, index.html, summary.json, cer.png and readings.png."""
    results = [read_result(key, experiment) for key, experiment in experiments.items()]
    data = {name: read_lines(paths.lines(name), "test") for name in names_of_lines(results)}
    attributes = {name: read_attributes(paths.lines(name)) for name in data}
    rates = measure(results, data)
    table = comparison_table(results, rates, {name: found["data"] for name, found in attributes.items()})
    sources, machine = next(iter(attributes.values())), describe_machine()
    page = report_page(results, rates, data, attributes, training, machine)
    write_table(table, output / "comparison.csv")
    write_text(output / "confusions.csv", confusion_table(best_result(results)).to_csv(index=False))
    evaluated_on = " and ".join(dict.fromkeys(result.evaluated.machine for result in results))
    changes = find_single_changes(results, rates, training)
    short = comparison_page(table, {**sources, "max_epochs": training.max_epochs}, evaluated_on, changes)
    write_text(output / "comparison.md", short)
    write_text(output / "index.html", page)
    write_text(output / "summary.json", json.dumps(summary(table), indent=2) + "\n")
    draw_error_rates(output / "cer.png", table, sources["data"])
    draw_samples(output / "readings.png", results, data)
    best = table.sort_values("test_cer").iloc[0]
    print(f"compare: {len(table)} experiments; best is {best['experiment']} with CER {best['test_cer']:.2%}")
    print(f"compare: see {output / 'comparison.md'} and {output / 'index.html'}")
    seeds = {result.key: result.seeds for result in results}
    log_comparison(comparison_of(experiments, seeds, output))


def names_of_lines(results: Sequence[Result]) -> list[str]:
    """The data sets of lines in the order of their first experiments."""
    return list(dict.fromkeys(result.experiment.lines for result in results))


def measure(results: Sequence[Result], data: Mapping[str, Lines]) -> dict[str, Rates]:
    """The rates of every experiment, resampled with those of the others on its data set.

    Raises:
        InputError: predictions are not of the lines that are there.
    """
    rates: dict[str, Rates] = {}
    for name, lines in tqdm(data.items(), desc="compare: resampling", unit="data set", disable=None):
        among = [result for result in results if result.experiment.lines == name]
        for result in among:
            result.require_texts(lines.texts, paths.lines(name))
        readings = {result.key: list(result.by_seed.values()) for result in among}
        rates |= resample_rates(lines.texts, readings, {result.key: result.hits for result in among})
    return rates


def draw_samples(path: Path, results: Sequence[Result], data: Mapping[str, Lines]) -> None:
    """Draw the first test lines of each data set with the readings of every experiment on it."""
    images, texts, readings = [], [], []
    for name, lines in data.items():
        for index in range(min(SHOWN, len(lines))):
            images.append(lines.images[index, :, : lines.widths[index]])
            texts.append(lines.texts[index])
            readings.append([(one.key, one.readings[index]) for one in results if one.experiment.lines == name])
    draw_predictions(path, images, texts, readings)


def main() -> None:
    """Read the settings and run."""
    params = read_params()
    experiments = {
        key: read_section(ExperimentSettings, "experiments", key, params=params) for key in params["experiments"]
    }
    run(experiments, read_section(TrainingSettings, "training", params=params), OUTPUT)
