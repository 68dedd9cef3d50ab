"""Find the lines of a page with the detector of the package rapidocr."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.common.errors import InputError

ADVICE = "pip install 'emnist-lines[handwriting]'"
OPTIONS = {"Global.log_level": "critical", "Global.use_cls": False, "Global.use_rec": False}
SAME_LINE = 0.5
"""Boxes that share this fraction of the lower one's height are parts of one line."""
MAX_GAP = 3.0
"""The widest gap within a line, in heights."""
Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels."""


def cut_lines(grey: Image.Image, name: str, count: int) -> Iterator[tuple[int, int, Image.Image]]:
    """Left, top and picture of each line of a page, from top to bottom. `count` is said if they cannot be found.

    Raises:
        InputError: the package is not installed.
    """
    for left, top, right, bottom in join_boxes(detect_boxes(grey, name, count)):
        yield left, top, grey.crop((left, top, right, bottom))


def detect_boxes(grey: Image.Image, name: str, count: int) -> list[Box]:
    """The boxes of words and lines on a page."""
    try:
        detector = _load_detector()
    except ImportError:
        raise InputError(f"{name}: looks like {count} lines; cut out one line, or find them with {ADVICE}") from None
    found: NDArray[np.float32] | None = detector(np.asarray(grey.convert("RGB")), use_cls=False, use_rec=False).boxes
    boxes = []
    for corners in [] if found is None else found:
        (left, top), (right, bottom) = np.floor(corners.min(0)), np.ceil(corners.max(0))
        boxes.append((max(0, int(left)), max(0, int(top)), min(grey.width, int(right)), min(grey.height, int(bottom))))
    return boxes


@lru_cache(maxsize=1)
def _load_detector() -> Any:
    from rapidocr import RapidOCR

    return RapidOCR(params=OPTIONS)


def join_boxes(boxes: list[Box]) -> list[Box]:
    """Boxes of whole lines from top to bottom; parts of a line beside each other become one box."""
    lines: list[Box] = []
    for left, top, right, bottom in sorted(boxes):
        for number, (x0, y0, x1, y1) in enumerate(lines):
            shared, lower = min(bottom, y1) - max(top, y0), min(bottom - top, y1 - y0)
            if shared >= SAME_LINE * lower and left - x1 <= MAX_GAP * lower:
                lines[number] = (min(left, x0), min(top, y0), max(right, x1), max(bottom, y1))
                break
        else:
            lines.append((left, top, right, bottom))
    row = float(np.median([bottom - top for _, top, _, bottom in lines])) if lines else 1.0
    return sorted(lines, key=lambda line: (round((line[1] + line[3]) / 2 / row), line[0]))
