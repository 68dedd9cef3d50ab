"""Line charts for the HTML page. Each experiment has the same colour everywhere."""

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
"""By loss, in SVG's notation: cross-entropy is dashed, CTC solid."""
SIZE_INCHES = (4.8, 3.2)
PIXELS_PER_INCH = 96
MARGIN = 1.15
"""Factor of free space at both ends of a logarithmic axis."""
# Text stays text, in any font of the browser: outlines of glyphs would make the files five times as large.
SVG = {"svg.fonttype": "none", "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"]}
ANONYMOUS = dict.fromkeys(["Date", "Creator", "Type", "Format"])
"""Metadata to leave out, because it differs between runs and versions."""


@dataclass(frozen=True)
class Style:
    """How an experiment is drawn in all charts."""

    colour: str
    dashes: str


def make_style(number: int, loss: str) -> Style:
    """The style of experiment `number` in the order of `params.yaml`."""
    return Style(COLOURS[number % len(COLOURS)], DASHES[loss])


@dataclass(frozen=True)
class Series:
    """One curve of a chart: `faint` is thin and dotted, `marked` has markers, `thin` is for one of several seeds."""

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
    """An SVG with these curves, the same bytes for the same numbers. The legend is on the page.

    Rates and times differ by factors, so logarithmic axes show them best (`log`, `log_x`). Values of 0 are gaps there.
    """
    with matplotlib.rc_context({**SVG, "svg.hashsalt": title}):
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        axis = figure.subplots()
        for curve in series:
            _draw(axis, curve, log)
        axis.set_title(title, loc="left", size=10)
        axis.set_xlabel(x_label, size=9)
        axis.tick_params(labelsize=8.5)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        if log_x:
            _scale(axis.set_xscale, axis.set_xlim, axis.xaxis, [x for curve in series for x in curve.x])
            axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
            axis.xaxis.set_minor_locator(NullLocator())
        if log:
            _scale(axis.set_yscale, axis.set_ylim, axis.yaxis, [y for curve in series for y in curve.y if y > 0])
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
        marker="o" if series.marked or len(y) == 1 else "",  # a single point has no line
        markersize=3.5,
    )


def _scale(
    set_scale: Callable[[str], object],
    set_limits: Callable[[float, float], object],
    axis: "matplotlib.axis.Axis",
    values: Sequence[float],
) -> None:
    """Make an axis logarithmic, with a few round numbers even on a narrow range."""
    set_scale("log")
    low, high = min(values, default=0.1), max(values, default=1)
    set_limits(low / MARGIN, high * MARGIN)
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low > 6 else (1, 1.5, 2, 3, 4, 5, 6, 8)))


def _percent(rate: float, _: int | None) -> str:
    return f"{rate * 100:g} %"
