"""Stage `compare`: all experiments in one table and its pictures, under `reports/`."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline import paths
from pipeline.data.line_store import read_attributes, read_lines
from pipeline.errors import InputError, exit_on_input_error
from pipeline.files import atomic_path, write_text
from pipeline.report.comparison import comparison_page, comparison_table, summary, write_table
from pipeline.report.error_rates import draw_error_rates
from pipeline.report.machine import describe_machine
from pipeline.report.readings import draw_readings
from pipeline.settings.base import read_params, read_section
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings

OUTPUT = Path("reports")
SHOWN = 4
"""Test lines of each data set in the picture of readings."""


def run(experiments: Mapping[str, ExperimentSettings], max_epochs: int, output: Path) -> None:
    """Write comparison.csv, comparison.md, summary.json, cer.png and readings.png."""
    attributes = {
        experiment.lines: read_attributes(paths.lines(experiment.lines)) for experiment in experiments.values()
    }
    table = comparison_table(experiments, {name: found["data"] for name, found in attributes.items()})
    sources = next(iter(attributes.values()))
    with atomic_path(output / "comparison.csv") as partial:
        write_table(table, partial)
    write_text(
        output / "comparison.md", comparison_page(table, {**sources, "max_epochs": max_epochs}, describe_machine())
    )
    write_text(output / "summary.json", json.dumps(summary(table), indent=2) + "\n")
    draw_error_rates(output / "cer.png", table, sources["data"])
    draw_samples(output / "readings.png", experiments)
    best = table.sort_values("test_cer").iloc[0]
    print(f"compare: {len(table)} experiments; best is {best['experiment']} with CER {best['test_cer']:.2%}")
    print(f"compare: see {output / 'comparison.md'}")


def draw_samples(path: Path, experiments: Mapping[str, ExperimentSettings]) -> None:
    """Draw the first test lines of each data set with the readings of every experiment on it."""
    images, texts, readings = [], [], []
    for name in dict.fromkeys(experiment.lines for experiment in experiments.values()):
        lines = read_lines(paths.lines(name), "test")
        keys = [key for key, experiment in experiments.items() if experiment.lines == name]
        tables = {key: read_predictions(key) for key in keys}
        for index in range(min(SHOWN, len(lines))):
            images.append(lines.images[index, :, : lines.widths[index]])
            texts.append(lines.texts[index])
            readings.append([(key, tables[key]["prediction"][index]) for key in keys])
    draw_readings(path, images, texts, readings)


def read_predictions(key: str) -> pd.DataFrame:
    """The predictions of one experiment; a line that says "NA" or "007" stays text."""
    path, text = paths.predictions(key), {"text": str, "prediction": str}
    try:
        return pd.read_csv(path, dtype=text, keep_default_na=False, na_filter=False)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); run `dvc repro evaluate@{key}`") from None


def main() -> None:
    """Read the settings and run."""
    params = read_params()
    experiments = {
        key: read_section(ExperimentSettings, "experiments", key, params=params) for key in params["experiments"]
    }
    run(experiments, read_section(TrainingSettings, "training", params=params).max_epochs, OUTPUT)


if __name__ == "__main__":
    exit_on_input_error(main)
