"""The picture of the report on budgets: error rates by minutes of training."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from pipeline.plots.save import save_figure
from pipeline.report.figures.charts import COLOURS


@dataclass(frozen=True)
class Curve:
    """A column of the table and how it is drawn."""

    column: str
    label: str
    colour: str
    above: int = 6
    """Distance from a marker up to its number, in points."""


CURVES = (
    Curve("test_cer", "greedy", COLOURS[0]),
    Curve("test_cer_folded", "greedy, case folded", COLOURS[9]),
    Curve("test_cer_beam", "with the language model", COLOURS[1], above=-14),
)


def draw_budgets(path: Path, table: pd.DataFrame) -> None:
    """Write a PNG with the error rates by minutes, both logarithmic; rates of 0 are left out."""
    figure = Figure(figsize=(8, 4.4), dpi=110, layout="constrained")
    axis = figure.subplots()
    for curve in CURVES:
        rates = 100 * table[curve.column].where(table[curve.column] > 0)
        axis.plot(table["minutes"], rates, "o-", color=curve.colour, label=curve.label, markersize=4)
        for minutes, rate in zip(table["minutes"], rates, strict=True):
            if rate > 0:
                text, above = f"{rate:.2f}", (0, curve.above)
                axis.annotate(text, (minutes, rate), above, textcoords="offset points", ha="center", color=curve.colour)
    for scale, axes in ((axis.set_xscale, axis.xaxis), (axis.set_yscale, axis.yaxis)):
        scale("log")
        axes.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        axes.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_minor_locator(NullLocator())
    axis.set_xlabel("minutes of training")
    axis.set_ylabel("CER on test lines, percent")
    axis.grid(alpha=0.25)
    axis.margins(0.08)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=9)
    save_figure(figure, path)
