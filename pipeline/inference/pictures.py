"""Line images from pictures from outside."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.common.errors import InputError
from pipeline.common.geometry import CELL
from pipeline.data.pictures.count import count_lines
from pipeline.data.pictures.ink import MIN_CONTRAST
from pipeline.data.pictures.line import LineImage, draw_line
from pipeline.data.pictures.opening import open_grey, open_pages
from pipeline.inference.paragraphs import cut_lines

MAX_WIDTH = 200
"""In heights. A wider picture is not a line."""


def read_picture(source: Path | bytes, name: str, height: int = CELL) -> NDArray[np.uint8]:
    """A line image (`height`, W), 0 for background and 255 for full ink, of a picture of one line.

    Error messages call the picture `name`.

    Raises:
        InputError: the file is not a picture, or it is too large, blank, or of several lines or pages.
    """
    grey = open_grey(source, name)
    if (count := count_lines(grey)) > 1:
        raise InputError(f"{name}: looks like {count} lines; cut out one line")
    return to_line(grey, name, height).pixels


def read_lines(source: Path | bytes, name: str, height: int) -> Iterator[LineImage]:
    """All lines of a picture and its pages, from top to bottom.

    Raises:
        InputError: as `read_picture`; several lines are refused only where the extra `handwriting` is not installed.
    """
    pages = open_pages(source, name)
    for number, page in enumerate(pages, start=1):
        yield from find_lines(page, f"{name} page {number}" if len(pages) > 1 else name, height)


def find_lines(grey: Image.Image, name: str, height: int) -> list[LineImage]:
    """The lines of a grey picture, from top to bottom; see `read_lines`."""
    if (count := count_lines(grey)) == 1:
        return [to_line(grey, name, height)]
    lines = []
    for left, top, line in cut_lines(grey, name, count):
        if found := draw_line(line, height):
            x0, y0, x1, y1 = found.box
            lines.append(LineImage(found.pixels, (left + x0, top + y0, left + x1, top + y1)))
    if not lines:
        raise InputError(f"{name}: no line was found in it")
    return lines


def to_line(grey: Image.Image, name: str, height: int) -> LineImage:
    """The one line of a grey picture.

    Raises:
        InputError: the picture is blank, or too wide for a line.
    """
    if grey.width > MAX_WIDTH * grey.height:
        raise InputError(f"{name}: {grey.width} x {grey.height} pixels are not a line; cut out one line")
    line = draw_line(grey, height)
    if line is None:
        raise InputError(f"{name}: is blank; ink and background must differ by at least {MIN_CONTRAST} of 255 levels")
    return line
