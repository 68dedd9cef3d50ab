"""Markdown pages: templates, tables, and the format of rates in them."""

from collections.abc import Callable
from importlib import resources
from typing import Any

import pandas as pd
from jinja2 import StrictUndefined, Template

from pipeline.report.analysis.bootstrap import Estimate


def render_markdown(name: str, /, **values: Any) -> str:
    """Fill in a template, such as `report/templates/decoding.md.j2`; a missing value is an error."""
    template = (resources.files("pipeline") / name).read_text(encoding="utf-8")
    page: str = Template(template, undefined=StrictUndefined, keep_trailing_newline=True).render(**values)
    return page


def markdown_table(table: pd.DataFrame) -> str:
    """The table as Markdown, without its index and without a final newline."""
    rows = [list(table.columns), ["---"] * table.shape[1], *table.astype(object).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def points(difference: Estimate) -> str:
    """A difference of two rates and its interval, in percentage points."""
    value, low, high = (f"{rate * 100:+.2f}" for rate in (difference.value, difference.low, difference.high))
    return f"{value} ({low} to {high})"


def with_interval(rate: Estimate) -> str:
    """A rate and its interval, in percent."""
    return f"{rate.value * 100:.2f} % ({_interval(rate)})"


def with_spread(rate: Estimate, deviation: float, seeds: int) -> str:
    """A mean over seeds, the standard deviation over them and the interval of the mean, in percent."""
    if seeds == 1:
        return with_interval(rate)
    return f"{rate.value * 100:.2f} ± {deviation * 100:.2f} % ({seeds} seeds; {_interval(rate)})"


def percent(digits: int) -> Callable[[float], str]:
    """A function that formats a rate in percent."""
    return lambda rate: f"{rate * 100:.{digits}f} %"


def _interval(rate: Estimate) -> str:
    return f"{rate.low * 100:.1f}–{rate.high * 100:.1f}"
