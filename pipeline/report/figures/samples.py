"""Examples and statistics of the data: characters and lines."""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.common.geometry import CELL
from pipeline.data.storage.lines import Lines
from pipeline.report.figures.gallery import line_picture
from pipeline.report.figures.images import Picture, encode_ink

SHOWN = 3
MIN_LENGTH = 12
"""Characters that an example line should have."""
SHEET = (string.digits, string.ascii_uppercase, string.ascii_lowercase)
"""The rows of the sheet of characters."""


@dataclass(frozen=True)
class LineData:
    """One data set of lines; all but `train` describes its test lines."""

    name: str
    train: int
    test: int
    characters: int
    longest: int
    overlap: tuple[float, float] | None
    """Minimum and maximum fraction of a cell that the next one overlaps; None where there are no cells."""
    examples: list[Picture]


def describe_lines(name: str, lines: Lines, attributes: Mapping[str, Any]) -> LineData:
    """Statistics and a few example lines, long ones if possible."""
    lengths = np.array([len(text) for text in lines.texts])
    order = np.argsort(lengths < MIN_LENGTH, kind="stable")[:SHOWN]
    return LineData(
        name,
        attributes["train"],
        len(lines),
        int(lengths.sum()),
        int(lengths.max()),
        _overlap(lines, lengths) if lines.are_synthetic else None,
        [line_picture(lines, int(index)) for index in np.sort(order)],
    )


def _overlap(lines: Lines, lengths: NDArray[np.int64]) -> tuple[float, float]:
    steps = np.diff(lines.starts.astype(np.int64), axis=1)
    overlaps = 1 - steps[np.arange(1, lines.starts.shape[1]) < lengths[:, None]] / CELL
    return (float(overlaps.min()), float(overlaps.max())) if overlaps.size else (0.0, 0.0)


def character_sheet(data: Mapping[str, Lines]) -> Picture | None:
    """The first image of each class in the synthetic data set with the least overlap; None if there is no such set.

    A class that does not occur is empty.
    """
    synthetic = [lines for lines in data.values() if lines.are_synthetic]
    if not synthetic:
        return None
    lines = min(synthetic, key=_density)
    sheet = np.zeros((len(SHEET) * CELL, max(map(len, SHEET)) * CELL), dtype=np.uint8)
    for row, characters in enumerate(SHEET):
        for column, character in enumerate(characters):
            cell = np.s_[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
            sheet[cell] = _first_cell(lines, character)
    return encode_ink(sheet, "one image of each class: digits, capital letters, small letters")


def _first_cell(lines: Lines, character: str) -> NDArray[np.uint8]:
    for image, text, starts in zip(lines.images, lines.texts, lines.starts, strict=True):
        if (position := text.find(character)) >= 0:
            return np.asarray(image[:, starts[position] : starts[position] + CELL])
    return np.zeros((CELL, CELL), dtype=np.uint8)


def _density(lines: Lines) -> float:
    """Characters per pixel."""
    return sum(map(len, lines.texts)) / float(lines.widths.sum())
