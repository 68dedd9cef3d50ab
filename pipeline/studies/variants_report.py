"""What the reports on variants of an experiment share."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.common import paths
from pipeline.common.files import write_text
from pipeline.data.storage.line_store import read_attributes, read_lines
from pipeline.report.analysis.rates import Rates, measured_rates
from pipeline.report.analysis.results import Result, measure_rates, read_result
from pipeline.report.figures.curves import ran_on
from pipeline.report.pages.comparison import write_table
from pipeline.report.pages.markdown import render_markdown
from pipeline.settings.base import read_section
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings


def read_variants(keys: Iterable[str]) -> list[Result]:
    """Read the results of evaluated experiments in the current folder.

    Raises:
        InputError: a file is absent or damaged, or the experiments have different test lines.
    """
    results = [read_result(key, read_section(ExperimentSettings, "experiments", key)) for key in keys]
    for result in results:
        result.require_texts(results[0].texts, paths.lines(result.experiment.lines))
    return results


def measure_variants(results: Sequence[Result]) -> dict[str, Rates]:
    """The rates of variants, which have the same test lines in the current folder, with intervals."""
    path = paths.lines(results[0].experiment.lines)
    return measure_rates(results, read_lines(path, "test"), path)


def rates_by_seed(result: Result) -> dict[int, dict[str, float]]:
    """The error rates of the model of each seed, as fractions."""
    return {seed: measured_rates(result.texts, readings) for seed, readings in result.by_seed.items()}


def render_page(name: str, results: Sequence[Result], **fields: object) -> str:
    """Fill in a page with `fields`, and with the sources of the data and the machine of the trainings."""
    first, shared = results[0], read_section(TrainingSettings, "training")
    attributes = read_attributes(paths.lines(first.experiment.lines))
    return render_markdown(
        f"studies/templates/{name}.md.j2",
        data=attributes["data"],
        text=attributes["corpus"],
        tested=f"{len(first.texts):,}",
        machine=" and ".join(dict.fromkeys(ran_on(result, shared) for result in results)),
        **fields,
    )


def write_report(
    output: Path, name: str, page: str, table: pd.DataFrame, draw: Callable[[Path, pd.DataFrame], None]
) -> None:
    """Write `name`.csv, .md and .png; `draw` makes the picture from the table."""
    write_table(table, output / f"{name}.csv")
    write_text(output / f"{name}.md", page)
    draw(output / f"{name}.png", table)
    print(f"{name}: see {output / f'{name}.md'}")


def describe_changes(changes: Mapping[str, Any]) -> str:
    """Keys and values as in YAML."""
    return ", ".join(f"{key}: {json.dumps(value)}" for key, value in changes.items())
