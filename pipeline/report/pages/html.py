"""The HTML page `reports/index.html`: one file that needs no network."""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.data.storage.lines import Lines
from pipeline.metrics.groups import MEDIAN
from pipeline.report.analysis.alignment import show_spaces
from pipeline.report.analysis.bootstrap import LEVEL, RESAMPLES, Estimate
from pipeline.report.analysis.by_group import MIN_LINES, find_groupings
from pipeline.report.analysis.paired import compare_pairs
from pipeline.report.analysis.rates import Rates
from pipeline.report.analysis.results import Result
from pipeline.report.analysis.single_changes import find_single_changes
from pipeline.report.figures.charts import make_style
from pipeline.report.figures.ctc_steps import trace_ctc_experiments
from pipeline.report.figures.curves import draw_curves, ran_on, summarize
from pipeline.report.figures.gallery import random_lines, worst_lines
from pipeline.report.figures.samples import character_sheet, describe_lines
from pipeline.report.pages.error_analysis import find_errors
from pipeline.report.pages.lecture import RESULTS
from pipeline.report.pages.worked_examples import PATHS, collapse_example, edit_table
from pipeline.settings.experiment import TrainingSettings

SHOWN_GROUPS = 25
"""Rows of the tables by group; `groups.csv` has all."""
MEDIAN_METRIC = f"test_{MEDIAN}"


def report_page(
    results: Sequence[Result],
    rates: Mapping[str, Rates],
    data: Mapping[str, Lines],
    attributes: Mapping[str, Mapping[str, Any]],
    training: TrainingSettings,
    machine: str,
) -> str:
    """The whole page. `data` has the test lines of each data set, by name, and `attributes` their stored attributes.

    The same input gives the same page on the same machine.
    """
    best = min(results, key=lambda result: rates[result.key]["cer"].value)
    styles = {result.key: make_style(number, result.experiment.loss) for number, result in enumerate(results)}
    template = environment().get_template("index.html.j2")
    page: str = template.render(
        results=results,
        rates=rates,
        best=best,
        styles=styles,
        sources=main_attributes(attributes),
        sheet=character_sheet(data),
        line_data=[describe_lines(name, lines, attributes[name]) for name, lines in data.items()],
        lecture=RESULTS,
        matrices=compare_pairs(results, rates),
        changes=find_single_changes(results, rates, training),
        curves=draw_curves(results, styles),
        trainings=[(row, ran_on(result, training)) for result in results for row in summarize(result)],
        several=any(len(result.seeds) > 1 for result in results),
        errors=find_errors(results, best, data, styles),
        transcribed=[result for result in results if MEDIAN_METRIC in result.metrics],
        groupings=find_groupings(results, data),
        shown_groups=SHOWN_GROUPS,
        min_lines=MIN_LINES,
        worst=[worst_lines(result, data[result.experiment.lines]) for result in results],
        random=[random_lines(name, results, lines) for name, lines in data.items()],
        ctc=trace_ctc_experiments(results, data),
        example=edit_table(),
        collapses=[collapse_example(path) for path in PATHS],
        training=training,
        machine=machine,
        level=LEVEL,
        resamples=RESAMPLES,
    )
    return page


def main_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The stored attributes of the first synthetic data set, or of the first one if there is none."""
    return next((found for found in attributes.values() if "data_source" in found), next(iter(attributes.values())))


def environment() -> Environment:
    """The HTML templates; all values are escaped."""
    templates = Environment(
        loader=PackageLoader("pipeline.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= {
        "percent": percent,
        "interval": interval,
        "points": points,
        "count": "{:,}".format,
        "duration": duration,
        "visible": show_spaces,
        "breakable": breakable,
        "settings": list_settings,
    }
    return templates


def breakable(name: str) -> Markup:
    """Allow line breaks after underscores; the style sheet uses them on narrow screens only."""
    return Markup("_<wbr>").join(name.split("_"))


def list_settings(block: Mapping[str, Any]) -> list[str]:
    """Settings such as `trainer.devices 2`; keys of nested blocks are joined with dots."""
    found = []
    for key, value in block.items():
        nested = isinstance(value, Mapping)
        found += [f"{key}.{setting}" for setting in list_settings(value)] if nested else [f"{key} {value}"]
    return found


def percent(rate: float, digits: int = 1) -> str:
    """8.2 %, with a no-break space."""
    return f"{rate:.{digits}%}".replace("%", "\N{NO-BREAK SPACE}%")


def interval(estimate: Estimate, digits: int = 1) -> str:
    """7.9–8.6, in percent."""
    return f"{estimate.low * 100:.{digits}f}–{estimate.high * 100:.{digits}f}"


def duration(seconds: float) -> str:
    """12.3 s, 12.3 min or 12.3 h."""
    size, unit = next(((size, unit) for size, unit in ((3600, "h"), (60, "min")) if seconds >= size), (1, "s"))
    return f"{seconds / size:.1f}\N{NO-BREAK SPACE}{unit}"


def points(rate: float, digits: int = 1) -> str:
    """A difference in percentage points, always with its sign."""
    return f"{rate * 100:+.{digits}f}".replace("-", "\N{MINUS SIGN}")
