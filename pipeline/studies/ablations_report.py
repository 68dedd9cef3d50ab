"""Ablations as a table, a page and a picture."""

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
from pipeline.report.analysis.rates import Rates, resample_rates
from pipeline.report.analysis.results import Result
from pipeline.report.pages.markdown import markdown_table, percent, points
from pipeline.studies.variants import Changes
from pipeline.studies.variants_report import describe_changes, rates_by_seed, read_variants, render_page, write_report

NORMAL = stats.norm.ppf((1 + LEVEL) / 2)
HIGHER, LOWER, UNSURE = "#b3261e", "#1b7f4b", "#8a8f98"
"""Colours of changes that make the error rate higher, lower, and of those that may do either."""

PAGE = """# What each setting of `{{ experiment }}` is worth

**Data: {{ data }}. Text: {{ text }}.**
Each row is the recipe trained again with one thing changed, all with the same small budget, {{ seeds }} seeds each, and
evaluated on the same {{ tested }} test lines. `{{ base }}` is the recipe with
`{{ settings }}`.

![Change of the character error rate by what was changed](ablations.png)

{{ table }}

- **CER**: mean over the seeds; greedy reading. **case folded**: where `C` read as `c` is no error.
- **difference**: to `{{ base }}`, in points, with the interval in which 95 of 100 repetitions with other seeds and
  other test lines would lie: ± t · √(2 s² / n + e²). s = {{ deviation }} points is the standard deviation between
  seeds, pooled over all rows; n the number of seeds; e the standard error of a bootstrap over the lines, paired with
  `{{ base }}`; t the quantile of Student's distribution with {{ freedom }} degrees of freedom.
- **minutes**: one training's, with whatever ran beside it.

A small budget decides differently from a long one: what regularizes pays later.

Made by `python -m pipeline ablations` on {{ machine }}.
"""


@dataclass(frozen=True)
class Spread:
    """How far trainings that differ in their seed alone lie apart."""

    deviation: float
    """Standard deviation of the CER."""
    freedom: int
    """Degrees of freedom that it was estimated with."""


def write_ablations(experiment: str, changes: Mapping[str, Changes], settings: Mapping[str, Any], output: Path) -> None:
    """Write ablations.csv, ablations.md and ablations.png of what was evaluated in the working folder.

    `changes` has those of each experiment by name, the first none; `settings` are what all have otherwise than the
    `experiment` of that name.
    """
    results = read_variants(changes)
    first = results[0]
    rates = resample_rates(first.texts, {result.key: list(result.by_seed.values()) for result in results})
    spread = pooled_spread([seed_rates(result) for result in results])
    table = ablation_table(results, changes, rates, spread)
    page = render_page(
        PAGE,
        results,
        experiment=experiment,
        base=first.key,
        seeds=len(first.seeds),
        settings=describe_changes(settings),
        table=markdown_table(shown(table)),
        deviation=f"{spread.deviation * 100:.2f}",
        freedom=spread.freedom,
    )
    write_report(output, "ablations", page, table, draw_ablations)


def ablation_table(
    results: Sequence[Result], changes: Mapping[str, Changes], rates: Mapping[str, Rates], spread: Spread
) -> pd.DataFrame:
    """One row per result; differences to the first of them, whose own is 0."""
    base = rates[results[0].key]
    rows = []
    for result in results:
        paired = rates[result.key].minus(base, "cer")
        lines_error = (paired.high - paired.low) / (2 * NORMAL)
        reach = 0.0 if result is results[0] else reach_of_difference(spread, len(result.seeds), lines_error)
        rows.append(
            {
                "experiment": result.key,
                "changed": describe_changes(changes[result.key]),
                "test_cer": rates[result.key]["cer"].value,
                "test_cer_folded": rates[result.key]["cer_folded"].value,
                "difference": paired.value,
                "low": paired.value - reach,
                "high": paired.value + reach,
                "minutes": result.trained.mean / 60,
                **{f"seed_{seed}": cer for seed, cer in zip(result.seeds, seed_rates(result), strict=True)},
            }
        )
    return pd.DataFrame(rows)


def seed_rates(result: Result) -> list[float]:
    """The CER of the model of each seed."""
    return [rates["cer"] for rates in rates_by_seed(result).values()]


def pooled_spread(groups: Sequence[Sequence[float]]) -> Spread:
    """The standard deviation within groups, taken to be the same in all."""
    freedom = sum(len(group) - 1 for group in groups)
    if not freedom:
        raise InputError("seeds: their spread needs at least 2")
    squares = sum(float(((np.array(group) - np.mean(group)) ** 2).sum()) for group in groups)
    return Spread(math.sqrt(squares / freedom), freedom)


def reach_of_difference(spread: Spread, seeds: int, lines_error: float) -> float:
    """Half the interval of a difference between two means over `seeds` trainings each."""
    quantile: float = stats.t.ppf((1 + LEVEL) / 2, spread.freedom)
    return quantile * math.sqrt(2 * spread.deviation**2 / seeds + lines_error**2)


def draw_ablations(path: Path, table: pd.DataFrame) -> None:
    """Write a PNG with the difference of each change and its interval, the worst at the top."""
    rows = table.iloc[1:].sort_values("difference", ignore_index=True)
    figure = Figure(figsize=(8, 1.1 + 0.36 * len(rows)), dpi=110, layout="constrained")
    axis = figure.subplots()
    for position, (_, row) in enumerate(rows.iterrows()):
        colour = HIGHER if row["low"] > 0 else LOWER if row["high"] < 0 else UNSURE
        points = [100 * row[name] for name in ("low", "difference", "high")]
        axis.plot([points[0], points[2]], [position, position], color=colour, linewidth=2)
        axis.plot(points[1], position, "o", color=colour)
        axis.annotate(
            f"{points[1]:+.2f}", (points[1], position), (0, 6), textcoords="offset points", ha="center", size=8
        )
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks(range(len(rows)), list(rows["experiment"]), family="monospace", size=9)
    axis.set_xlabel("change of the CER on test lines, points (left is better)")
    axis.margins(y=0.1)
    axis.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """The table for the page, in percent and points."""
    differences = zip(table["difference"], table["low"], table["high"], strict=True)
    return pd.DataFrame(
        {
            "experiment": table["experiment"].map("`{}`".format),
            "changed": table["changed"].map(lambda text: f"`{text}`" if text else ""),
            "CER": table["test_cer"].map(percent(2)),
            "case folded": table["test_cer_folded"].map(percent(2)),
            "difference": ["", *[points(Estimate(*one)) for one in differences][1:]],
            "minutes": table["minutes"].map("{:.1f}".format),
        }
    )
