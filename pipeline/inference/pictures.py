"""Line images from pictures from outside."""

from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from pipeline.common.errors import InputError
from pipeline.data.pictures.count import count_lines
from pipeline.data.pictures.ink import MIN_CONTRAST
from pipeline.data.pictures.line import LineImage, draw_line, find_line_ink
from pipeline.data.pictures.opening import open_pages
from pipeline.inference.paragraphs import cut_lines

MAX_WIDTH = 200
"""In heights. A wider picture is not a line."""


def read_lines(source: Path | bytes, name: str, height: int) -> Iterator[LineImage]:
    """All lines of a picture and its pages, from top to bottom.

    Raises:
        InputError: the file is not a picture, or it is too large or blank; or it has several lines, and the extra
            `handwriting` is not installed.
    """
    pages = open_pages(source, name)
    for number, page in enumerate(pages, start=1):
        yield from find_lines(page, f"{name} page {number}" if len(pages) > 1 else name, height)


def find_lines(grey: Image.Image, name: str, height: int) -> list[LineImage]:
    """The lines of a grey picture, from top to bottom; see `read_lines`."""
    if grey.width > MAX_WIDTH * grey.height:
        raise InputError(f"{name}: {grey.width} x {grey.height} pixels are not a line; cut out one line")
    ink = find_line_ink(grey, height)
    if (count := count_lines(ink)) > 1:
        lines = list(_cut_lines(grey, name, height, count))
        if not lines:
            raise InputError(f"{name}: no line was found in it")
        return lines
    line = draw_line(ink, grey.size, height)
    if line is None:
        raise InputError(f"{name}: is blank; ink and background must differ by at least {MIN_CONTRAST} of 255 levels")
    return [line]


def _cut_lines(grey: Image.Image, name: str, height: int, count: int) -> Iterator[LineImage]:
    for left, top, cut in cut_lines(grey, name, count):
        if found := draw_line(find_line_ink(cut, height), cut.size, height):
            x0, y0, x1, y1 = found.box
            yield LineImage(found.pixels, (left + x0, top + y0, left + x1, top + y1))
