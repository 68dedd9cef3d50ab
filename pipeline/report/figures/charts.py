"""Line charts for the page, each experiment always in the same colour."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from pipeline.report.figures.images import Picture, data_uri

COLOURS = (
    *("#1f5fa8", "#c2410c", "#1b7f4b", "#7c3aed", "#b3261e"),
    *("#0e7490", "#a16207", "#be185d", "#111827", "#6b7280"),
    *("#4d7c0f", "#c026d3"),
)
DASHES = {"ce": "5 3", "ctc": ""}
"""By loss: dashed is cross-entropy, solid CTC; in SVG's notation."""
SIZE_INCHES = (4.8, 3.2)
PIXELS_PER_INCH = 96
MARGIN = 1.15
"""What a logarithmic axis leaves above and below."""
# Text stays text, in whatever font is there: glyphs as outlines would weigh five times as much.
SVG = {"svg.fonttype": "none", "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"]}
ANONYMOUS = dict.fromkeys(["Date", "Creator", "Type", "Format"])
"""Metadata that would differ between runs and versions, or say nothing."""


@dataclass(frozen=True)
class Style:
    """How an experiment is drawn wherever it appears."""

    colour: str
    dashes: str


def style_of(number: int, loss: str) -> Style:
    """The style of the experiment that is the `number`-th of the settings."""
    return Style(COLOURS[number % len(COLOURS)], DASHES[loss])


@dataclass(frozen=True)
class Series:
    """One line of a chart; a `faint` one is thin and dotted, a `marked` one has its points marked.

    A `thin` one is one of several of an experiment.
    """

    x: Sequence[float]
    y: Sequence[float]
    style: Style
    faint: bool = False
    marked: bool = False
    thin: bool = False


def draw_chart(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str,
    alt: str,
    percent: bool = True,
    log: bool = True,
    log_x: bool = False,
) -> Picture:
    """An SVG of some series, the same bytes for the same numbers; the page has the legend.

    Rates are best seen on a logarithmic axis, where one experiment makes a tenth of the errors of another;
    what is 0 leaves a gap there. The same goes for times (`log_x`).
    """
    with matplotlib.rc_context({**SVG, "svg.hashsalt": title}):
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        axis = figure.subplots()
        for one in series:
            _draw(axis, one, log)
        axis.set_title(title, loc="left", size=10)
        axis.set_xlabel(x_label, size=9)
        axis.tick_params(labelsize=8.5)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        if log_x:
            _scale(axis.set_xscale, axis.set_xlim, axis.xaxis, [x for one in series for x in one.x])
            axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
            axis.xaxis.set_minor_locator(NullLocator())
        if log:
            _scale(axis.set_yscale, axis.set_ylim, axis.yaxis, [y for one in series for y in one.y if y > 0])
        else:
            axis.set_ylim(bottom=0)
        axis.yaxis.set_major_formatter(FuncFormatter(_percent) if percent else FormatStrFormatter("%g"))
        axis.yaxis.set_minor_locator(NullLocator())
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata=ANONYMOUS)
    width, height = (round(inches * PIXELS_PER_INCH) for inches in SIZE_INCHES)
    return Picture(data_uri("image/svg+xml", buffer.getvalue()), width, height, alt)


def _draw(axis: "matplotlib.axes.Axes", series: Series, log: bool) -> None:
    pattern = [float(length) for length in series.style.dashes.split()]
    line = (0, pattern) if pattern else "solid"
    y = np.asarray(series.y, dtype=float)
    axis.plot(
        np.asarray(series.x, dtype=float),
        np.where(y > 0, y, np.nan) if log else y,
        color=series.style.colour,
        linestyle="dotted" if series.faint else line,
        linewidth=0.9 if series.faint or series.thin else 1.6,
        marker="o" if series.marked or len(y) == 1 else "",  # a lone point makes no line
        markersize=3.5,
    )


def _scale(
    set_scale: Callable[[str], object],
    set_limits: Callable[[float, float], object],
    axis: "matplotlib.axis.Axis",
    values: Sequence[float],
) -> None:
    """A logarithmic axis with a few round numbers on it, however narrow."""
    set_scale("log")
    low, high = min(values, default=0.1), max(values, default=1)
    set_limits(low / MARGIN, high * MARGIN)
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low > 6 else (1, 1.5, 2, 3, 4, 5, 6, 8)))


def _percent(rate: float, _: int | None) -> str:
    return f"{rate * 100:g} %"
