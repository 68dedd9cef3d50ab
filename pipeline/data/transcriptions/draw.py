"""Blocks of transcribed lines, cut out and with their ink separated from the background."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.data.pictures.ink import separate_ink
from pipeline.data.storage.lines import NO_IMAGE, Lines
from pipeline.data.transcriptions.base import Transcription


def draw_ink(grey: Image.Image) -> NDArray[np.uint8]:
    """The ink (H, W) of a grey line; all 0 if it is blank."""
    ink = separate_ink(grey)
    return np.zeros((grey.height, grey.width), dtype=np.uint8) if ink is None else ink


def draw_lines(lines: Iterable[Transcription], height: int, max_length: int, block: int) -> Iterator[Lines]:
    """Yield the lines in blocks. A blank picture is an empty line, which keeps its text."""
    remaining = iter(lines)
    while part := list(islice(remaining, block)):
        widths = np.array([line.width(height) for line in part], dtype=np.uint16)
        images = np.zeros((len(part), height, int(widths.max())), dtype=np.uint8)
        for image, line, width in zip(images, part, widths.tolist(), strict=True):
            image[:, :width] = draw_ink(line.draw(height))
        yield Lines(
            images,
            [line.text for line in part],
            widths,
            starts=np.zeros((len(part), max_length), dtype=np.uint16),
            image_numbers=np.full((len(part), max_length), NO_IMAGE, dtype=np.int32),
            groups=[line.group for line in part],
            pages=[line.page for line in part],
        )
