"""Images of characters laid on blank lines, their ink added up where they overlap."""

import numpy as np
from numpy.typing import NDArray

from pipeline.common.geometry import CELL

AT_A_TIME = 64
"""Lines laid together: so few that their pixels stay in the processor's cache."""
_ROW = np.dtype((np.void, CELL))
"""One row of a character as a single item, which numpy moves as a whole."""


def place(glyphs: NDArray[np.uint8], chosen: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Lay characters on blank lines (B, 28, 28 T), pixels added up to 255 at most.

    Of `glyphs` (N, 28, 28), position t of line b gets number `chosen` (B, T), none where that is -1, with its
    left edge at `starts` (B, T), which increase along a line.
    """
    lines, positions = chosen.shape
    canvas = np.empty((lines, CELL, CELL * positions), dtype=np.uint8)
    glyphs = np.ascontiguousarray(glyphs)
    advance = int(np.diff(starts, axis=1).min(initial=CELL))
    for first in range(0, lines, AT_A_TIME):
        some = slice(first, first + AT_A_TIME)
        _lay(canvas[some], glyphs, chosen[some], starts[some], layers=-(-CELL // advance))
    return canvas


def _lay(
    canvas: NDArray[np.uint8],
    glyphs: NDArray[np.uint8],
    chosen: NDArray[np.int64],
    starts: NDArray[np.int64],
    layers: int,
) -> None:
    """Lay every `layers`-th position at once: they are too far apart to overlap each other."""
    lines, height, width = canvas.shape
    canvas.fill(0)  # only now, so that it is still in the cache when ink comes
    # Item (p, r) is the 28 pixels from p on, r rows further down: row p holds the cell with its corner at p.
    corners = canvas.size - (height - 1) * width - CELL + 1
    cells = np.ndarray((corners, height), _ROW, canvas, strides=(1, width))
    places = starts + np.arange(lines)[:, None] * (height * width)
    for layer in range(layers):
        numbers = chosen[:, layer::layers]
        drawn = numbers >= 0
        ink, where = glyphs.take(numbers[drawn], axis=0), places[:, layer::layers][drawn]
        if layer:  # the first one finds blank paper
            ink += np.minimum(cells[where].view(np.uint8).reshape(ink.shape), ~ink)
        cells[where] = ink.view(_ROW)[..., 0]
