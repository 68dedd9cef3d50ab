"""A picture of lines with what they say and what was read."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.common.geometry import CELL
from pipeline.data.storage.lines import Lines
from pipeline.plots.save import save_figure

matplotlib.use("agg")
WIDTH_INCHES, IMAGE_INCHES, ROW_INCHES = 8.0, 0.42, 0.17
NAME_LETTERS = 22
"""Width of the column of names, unless one is longer."""
WRONG, RIGHT = "#b3261e", "#1b6e3c"
BLANK = "␣"
"""How a space is written that nothing would show."""


def draw_first_predictions(path: Path, lines: Lines, readings: Sequence[str]) -> None:
    """Write a PNG of as many of the first lines as there are readings, with these."""
    shown = slice(len(readings))
    images = [image[:, :width] for image, width in zip(lines.images[shown], lines.widths[shown], strict=True)]
    draw_predictions(path, images, lines.texts[shown], [[("reading", reading)] for reading in readings])


def draw_predictions(
    path: Path,
    images: Sequence[NDArray[np.uint8]],
    texts: Sequence[str],
    readings: Sequence[Sequence[tuple[str, str]]],
) -> None:
    """Write a PNG: each line's image (28, W), below it its text, and its readings as (name, reading).

    A reading is red where it differs from the text, and spaces at its ends are then written as `BLANK`.
    """
    text_rows = [1 + len(lines) for lines in readings]
    heights = [IMAGE_INCHES + ROW_INCHES * count for count in text_rows]
    figure = Figure(figsize=(WIDTH_INCHES, sum(heights)), dpi=110)
    bottom = float(sum(heights))
    widest = max(image.shape[1] for image in images)
    names = max([NAME_LETTERS, *(len(name) for lines in readings for name, _ in lines)])
    for image, text, lines, height in zip(images, texts, readings, heights, strict=True):
        bottom -= height
        rows = ROW_INCHES * (1 + len(lines))
        scale = min(IMAGE_INCHES * 0.8 / CELL, (WIDTH_INCHES - 0.2) / widest)
        size = (image.shape[1] * scale, CELL * scale)
        axis = figure.add_axes(_place(figure, 0.1, bottom + rows, *size))
        axis.imshow(255 - image, cmap="gray", vmin=0, vmax=255, aspect="auto", interpolation="nearest")
        axis.axis("off")
        for number, (name, reading) in enumerate([("text", text), *lines]):
            colour = "black" if number == 0 else RIGHT if reading == text else WRONG
            written = with_visible_ends(reading) if reading != text else reading
            x, y, _, _ = _place(figure, 0.1, bottom + rows - ROW_INCHES * (number + 1) + 0.05, 0, 0)
            figure.text(x, y, f"{name:<{names}} {written}", color=colour, family="monospace", size=8, parse_math=False)
    save_figure(figure, path)


def with_visible_ends(reading: str) -> str:
    """The reading with `BLANK` for each space at its ends."""
    inner = reading.strip(" ")
    before = len(reading) - len(reading.lstrip(" "))
    return f"{BLANK * before}{inner}{BLANK * (len(reading) - before - len(inner))}"


def _place(
    figure: Figure, left: float, bottom: float, width: float, height: float
) -> tuple[float, float, float, float]:
    """A rectangle in inches as the fractions of the figure that matplotlib wants."""
    across, up = figure.get_size_inches()
    return left / across, bottom / up, width / across, height / up
