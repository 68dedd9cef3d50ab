"""Stage `compare`: all experiments in one table, on one page and in pictures, in `reports/`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.common import paths
from pipeline.common.files import write_text
from pipeline.common.progress import progress_bar
from pipeline.data.storage.line_store import read_attributes, read_lines
from pipeline.data.storage.lines import Lines
from pipeline.plots.predictions import draw_predictions
from pipeline.report.analysis.by_group import find_groupings, groups_table
from pipeline.report.analysis.confusions import best_result, confusion_table
from pipeline.report.analysis.rates import Rates
from pipeline.report.analysis.results import Result, measure_rates, read_result
from pipeline.report.analysis.single_changes import find_single_changes
from pipeline.report.figures.cer_chart import draw_cer_chart
from pipeline.report.pages.comparison import comparison_page, comparison_table, summary, write_table
from pipeline.report.pages.html import main_attributes, report_page
from pipeline.runtime.machine import describe_machine
from pipeline.settings.base import read_params, read_section
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings, merge_training
from pipeline.tracking.comparisons import log_comparison
from pipeline.tracking.dvc_outputs import read_comparison

OUTPUT = Path("reports")
SHOWN = 4
"""Test lines of each data set in the picture of predictions."""


def main() -> None:
    """Write the tables, pages and pictures of all experiments."""
    params = read_params()
    experiments = {
        key: read_section(ExperimentSettings, "experiments", key, params=params) for key in params["experiments"]
    }
    training = read_section(TrainingSettings, "training", params=params)
    if strays := paths.describe_strays(list_inputs(params)):
        print(f"compare: {strays}")
    results = [read_result(key, experiment) for key, experiment in experiments.items()]
    data = {name: read_lines(paths.lines(name), "test") for name in list_data_sets(results)}
    attributes = {name: read_attributes(paths.lines(name)) for name in data}
    rates: dict[str, Rates] = {}
    for name, lines in progress_bar(data.items(), desc="compare: resampling", unit="data set"):
        here = [result for result in results if result.experiment.lines == name]
        rates |= measure_rates(here, lines, paths.lines(name))
    table = comparison_table(results, rates, {name: found["data"] for name, found in attributes.items()})
    sources, machine = main_attributes(attributes), describe_machine()
    page = report_page(results, rates, data, attributes, training, machine)
    write_table(table, OUTPUT / "comparison.csv")
    write_table(groups_table(find_groupings(results, data)), OUTPUT / "groups.csv")
    write_text(OUTPUT / "confusions.csv", confusion_table(best_result(results)).to_csv(index=False))
    evaluated_on = " and ".join(dict.fromkeys(result.evaluated.machine for result in results))
    changes = find_single_changes(results, rates, training)
    epochs = most_epochs(experiments.values(), training)
    short = comparison_page(table, {**sources, "max_epochs": epochs}, evaluated_on, changes)
    write_text(OUTPUT / "comparison.md", short)
    write_text(OUTPUT / "index.html", page)
    write_text(OUTPUT / "summary.json", json.dumps(summary(table), indent=2) + "\n")
    draw_cer_chart(OUTPUT / "cer.png", table, sources["data"])
    draw_samples(OUTPUT / "readings.png", results, data)
    best = table.sort_values("test_cer").iloc[0]
    print(f"compare: {len(table)} experiments; best is {best['experiment']} with CER {best['test_cer']:.2%}")
    print(f"compare: see {OUTPUT / 'comparison.md'} and {OUTPUT / 'index.html'}")
    seeds = {result.key: result.seeds for result in results}
    log_comparison(read_comparison(experiments, seeds, OUTPUT))


def most_epochs(experiments: Iterable[ExperimentSettings], training: TrainingSettings) -> int:
    """The largest limit of epochs of the experiments, some of which have one of their own."""
    shared = training.model_dump()
    return max(int(merge_training(experiment, shared)["max_epochs"]) for experiment in experiments)


def list_inputs(params: Mapping[str, Mapping[str, object]]) -> list[Path]:
    """What the folders hold that the stage depends on."""
    by_experiment = (paths.history, paths.metrics, paths.models, paths.predictions)
    inputs = [path(key) for key in params["experiments"] for path in by_experiment]
    inputs += [paths.timings(key, "train") for key in params["experiments"]]
    inputs += [paths.timings(key, "evaluate") for key in params["experiments"]]
    return inputs + [paths.lines(name) for section in ("lines", "own_lines") for name in params[section]]


def list_data_sets(results: Sequence[Result]) -> list[str]:
    """The names of the data sets of lines, in the order of their first experiments."""
    return list(dict.fromkeys(result.experiment.lines for result in results))


def draw_samples(path: Path, results: Sequence[Result], data: Mapping[str, Lines]) -> None:
    """Draw the first test lines of each data set with the predictions of every experiment on it."""
    images, texts, predictions = [], [], []
    for name, lines in data.items():
        for index in range(min(SHOWN, len(lines))):
            images.append(lines.images[index, :, : lines.widths[index]])
            texts.append(lines.texts[index])
            predictions.append([(one.key, one.predictions[index]) for one in results if one.experiment.lines == name])
    draw_predictions(path, images, texts, predictions)
