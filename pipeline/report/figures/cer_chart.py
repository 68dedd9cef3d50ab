"""A bar chart of the character error rate by experiment."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from pipeline.plots.save import save_figure

COLOURS = {"ce": "#8a8f98", "ctc": "#1f5fa8"}


def draw_cer_chart(path: Path, table: pd.DataFrame, data: str) -> None:
    """Write a PNG with one bar per experiment, coloured by loss, and ± one standard deviation over seeds."""
    figure = Figure(figsize=(8, 0.9 + 0.36 * len(table)), dpi=110, layout="constrained")
    axis = figure.subplots()
    for loss, colour in COLOURS.items():
        rows = table[table["loss"] == loss]
        if len(rows):
            axis.barh(rows.index, rows["test_cer"] * 100, color=colour, label=loss)
    spreads = table["test_cer_std"].fillna(0) * 100
    if spreads.any():
        axis.errorbar(table["test_cer"] * 100, table.index, xerr=spreads, fmt="none", ecolor="black", elinewidth=1)
    for position, (rate, spread) in enumerate(zip(table["test_cer"], spreads, strict=True)):
        axis.text(rate * 100 + spread, position, f" {rate:.1%}", va="center", size=9)
    axis.set_yticks(range(len(table)), list(table["experiment"]), family="monospace", size=9)
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.set_xlabel("character error rate on test lines, % (lower is better)")
    axis.set_title(data, size=9, loc="left")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(title="loss", frameon=False)
    save_figure(figure, path)
