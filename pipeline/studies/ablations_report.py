"""The report on ablations: a table, a page and a picture."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from pipeline.common.errors import InputError
from pipeline.plots.save import save_figure
from pipeline.report.analysis.bootstrap import LEVEL, Estimate
from pipeline.report.analysis.rates import Rates
from pipeline.report.analysis.results import Result
from pipeline.report.pages.markdown import markdown_table, percent, points
from pipeline.studies.variants import Changes
from pipeline.studies.variants_report import (
    describe_changes,
    measure_variants,
    rates_by_seed,
    read_variants,
    render_page,
    write_report,
)

NORMAL = stats.norm.ppf((1 + LEVEL) / 2)
HIGHER, LOWER, UNSURE = "#b3261e", "#1b7f4b", "#8a8f98"
"""Colours of changes that make the error rate higher or lower, and of those whose interval includes 0."""


@dataclass(frozen=True)
class Spread:
    """The spread of trainings that differ only in their seed."""

    deviation: float
    """Standard deviation of the CER."""
    freedom: int
    """Degrees of freedom of the estimate."""


def write_ablations(experiment: str, changes: Mapping[str, Changes], settings: Mapping[str, Any], output: Path) -> None:
    """Write ablations.csv, ablations.md and ablations.png from the results in the current folder.

    `changes` are the changed settings by name of the variant; the first variant has none. `settings` are those in which
    all variants differ from `experiment`.
    """
    results = read_variants(changes)
    base = results[0]
    rates = measure_variants(results)
    spread = pooled_spread([cer_by_seed(result) for result in results])
    table = ablation_table(results, changes, rates, spread)
    page = render_page(
        "ablations",
        results,
        experiment=experiment,
        base=base.key,
        seeds=len(base.seeds),
        settings=describe_changes(settings),
        table=markdown_table(format_table(table)),
        deviation=f"{spread.deviation * 100:.2f}",
        freedom=spread.freedom,
    )
    write_report(output, "ablations", page, table, draw_ablations)


def ablation_table(
    results: Sequence[Result], changes: Mapping[str, Changes], rates: Mapping[str, Rates], spread: Spread
) -> pd.DataFrame:
    """One row per result; differences are to the first result, whose own is 0."""
    base = rates[results[0].key]
    rows = []
    for result in results:
        paired = rates[result.key].minus(base, "cer")
        lines_error = (paired.high - paired.low) / (2 * NORMAL)
        half = 0.0 if result is results[0] else half_interval(spread, len(result.seeds), lines_error)
        rows.append(
            {
                "experiment": result.key,
                "changed": describe_changes(changes[result.key]),
                "test_cer": rates[result.key]["cer"].value,
                "test_cer_folded": rates[result.key]["cer_folded"].value,
                "difference": paired.value,
                "low": paired.value - half,
                "high": paired.value + half,
                "minutes": result.trained.mean / 60,
                **{f"seed_{seed}": cer for seed, cer in zip(result.seeds, cer_by_seed(result), strict=True)},
            }
        )
    return pd.DataFrame(rows)


def cer_by_seed(result: Result) -> list[float]:
    """The CER of the model of each seed, in the order of the seeds."""
    return [rates["cer"] for rates in rates_by_seed(result).values()]


def pooled_spread(groups: Sequence[Sequence[float]]) -> Spread:
    """Estimate the standard deviation within groups, assuming that it is the same in all.

    Raises:
        InputError: each group has one value only.
    """
    freedom = sum(len(group) - 1 for group in groups)
    if not freedom:
        raise InputError("seeds: their spread needs at least 2")
    squares = sum(float(((np.array(group) - np.mean(group)) ** 2).sum()) for group in groups)
    return Spread(math.sqrt(squares / freedom), freedom)


def half_interval(spread: Spread, seeds: int, lines_error: float) -> float:
    """Half the width of the interval for the difference of two means, each over `seeds` trainings."""
    quantile: float = stats.t.ppf((1 + LEVEL) / 2, spread.freedom)
    return quantile * math.sqrt(2 * spread.deviation**2 / seeds + lines_error**2)


def draw_ablations(path: Path, table: pd.DataFrame) -> None:
    """Write a PNG with the difference and the interval of each change, the worst at the top."""
    rows = table.iloc[1:].sort_values("difference", ignore_index=True)
    figure = Figure(figsize=(8, 1.1 + 0.36 * len(rows)), dpi=110, layout="constrained")
    axis = figure.subplots()
    for position, (_, row) in enumerate(rows.iterrows()):
        colour = HIGHER if row["low"] > 0 else LOWER if row["high"] < 0 else UNSURE
        low, difference, high = (100 * row[name] for name in ("low", "difference", "high"))
        axis.plot([low, high], [position, position], color=colour, linewidth=2)
        axis.plot(difference, position, "o", color=colour)
        text, above = f"{difference:+.2f}", (0, 6)
        axis.annotate(text, (difference, position), above, textcoords="offset points", ha="center", size=8)
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks(range(len(rows)), list(rows["experiment"]), family="monospace", size=9)
    axis.set_xlabel("change of the CER on test lines, points (left is better)")
    axis.margins(y=0.1)
    axis.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)


def format_table(table: pd.DataFrame) -> pd.DataFrame:
    """The table of the page, in percent and percentage points."""
    differences = zip(table["difference"], table["low"], table["high"], strict=True)
    return pd.DataFrame(
        {
            "experiment": table["experiment"].map("`{}`".format),
            "changed": table["changed"].map(lambda text: f"`{text}`" if text else ""),
            "CER": table["test_cer"].map(percent(2)),
            "case folded": table["test_cer_folded"].map(percent(2)),
            "difference": ["", *[points(Estimate(*difference)) for difference in differences][1:]],
            "minutes": table["minutes"].map("{:.1f}".format),
        }
    )
