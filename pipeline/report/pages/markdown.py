"""Tables for pages of the repository, and how rates stand in them."""

from collections.abc import Callable

import pandas as pd

from pipeline.report.analysis.bootstrap import Estimate


def markdown_table(table: pd.DataFrame) -> str:
    """The table as Markdown, without its index and without a line break at its end."""
    rows = [list(table.columns), ["---"] * table.shape[1], *table.astype(object).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def points(difference: Estimate) -> str:
    """A difference of two rates and its interval, in percentage points."""
    value, low, high = (f"{one * 100:+.2f}" for one in (difference.value, difference.low, difference.high))
    return f"{value} ({low} to {high})"


def with_interval(rate: Estimate) -> str:
    """A rate and its interval, in percent."""
    return f"{rate.value * 100:.2f} % ({_interval(rate)})"


def with_spread(rate: Estimate, deviation: float, seeds: int) -> str:
    """A mean over seeds, their standard deviation and the mean's interval, in percent; one seed has no deviation."""
    if seeds == 1:
        return with_interval(rate)
    return f"{rate.value * 100:.2f} ± {deviation * 100:.2f} % ({seeds} seeds; {_interval(rate)})"


def percent(digits: int) -> Callable[[float], str]:
    """What writes a rate in percent."""
    return lambda rate: f"{rate * 100:.{digits}f} %"


def _interval(rate: Estimate) -> str:
    return f"{rate.low * 100:.1f}–{rate.high * 100:.1f}"
