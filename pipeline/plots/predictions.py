"""A picture of lines, each with its true text and its predictions."""

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
"""Width of the column of names, unless a name is longer."""
WRONG, RIGHT = "#b3261e", "#1b6e3c"
VISIBLE_SPACE = "␣"


def draw_first_predictions(path: Path, lines: Lines, predictions: Sequence[str]) -> None:
    """Write a PNG of the first lines, one for each prediction."""
    shown = slice(len(predictions))
    images = [image[:, :width] for image, width in zip(lines.images[shown], lines.widths[shown], strict=True)]
    draw_predictions(path, images, lines.texts[shown], [[("reading", prediction)] for prediction in predictions])


def draw_predictions(
    path: Path,
    images: Sequence[NDArray[np.uint8]],
    texts: Sequence[str],
    predictions: Sequence[Sequence[tuple[str, str]]],
) -> None:
    """Write a PNG: each line's image (28, W), below it its text, then its predictions as (name, prediction).

    Right predictions are green. Wrong ones are red, and show spaces at their ends as `VISIBLE_SPACE`.
    """
    heights = [IMAGE_INCHES + ROW_INCHES * (1 + len(named)) for named in predictions]
    figure = Figure(figsize=(WIDTH_INCHES, sum(heights)), dpi=110)
    bottom = float(sum(heights))
    widest = max(image.shape[1] for image in images)
    name_width = max([NAME_LETTERS, *(len(name) for named in predictions for name, _ in named)])
    for image, text, named, height in zip(images, texts, predictions, heights, strict=True):
        bottom -= height
        text_height = ROW_INCHES * (1 + len(named))
        scale = min(IMAGE_INCHES * 0.8 / CELL, (WIDTH_INCHES - 0.2) / widest)
        size = (image.shape[1] * scale, CELL * scale)
        axis = figure.add_axes(_to_fractions(figure, 0.1, bottom + text_height, *size))
        axis.imshow(255 - image, cmap="gray", vmin=0, vmax=255, aspect="auto", interpolation="nearest")
        axis.axis("off")
        for row, (name, shown) in enumerate([("text", text), *named], start=1):
            colour = "black" if row == 1 else RIGHT if shown == text else WRONG
            content = show_spaces_at_ends(shown) if shown != text else shown
            x, y, _, _ = _to_fractions(figure, 0.1, bottom + text_height - ROW_INCHES * row + 0.05, 0, 0)
            line = f"{name:<{name_width}} {content}"
            figure.text(x, y, line, color=colour, family="monospace", size=8, parse_math=False)
    save_figure(figure, path)


def show_spaces_at_ends(text: str) -> str:
    """Replace each space at the ends of `text` by `VISIBLE_SPACE`."""
    start = len(text) - len(text.lstrip(" "))
    stripped = text.strip(" ")
    return f"{VISIBLE_SPACE * start}{stripped}{VISIBLE_SPACE * (len(text) - start - len(stripped))}"


def _to_fractions(
    figure: Figure, left: float, bottom: float, width: float, height: float
) -> tuple[float, float, float, float]:
    """Convert a rectangle in inches to fractions of the figure, as matplotlib wants it."""
    figure_width, figure_height = figure.get_size_inches()
    return left / figure_width, bottom / figure_height, width / figure_width, height / figure_height
