"""Lines composed of character images, whose ink adds up where they overlap."""

import numpy as np
from numpy.typing import NDArray

from pipeline.common.geometry import CELL

BLOCK = 64
"""Lines composed together: so few that their pixels stay in the processor's cache."""
_ROW = np.dtype((np.void, CELL))
"""One row of a character as a single item, which NumPy copies as a whole."""


def compose_lines(
    characters: NDArray[np.uint8], numbers: NDArray[np.int64], starts: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Place characters on B blank lines (28, 28 T). Where they overlap, pixels are added, up to 255.

    Args:
        characters: images (N, 28, 28), 0 background to 255 ink.
        numbers: (B, T) which image each position gets, or -1 for none.
        starts: (B, T) left edge of each position's cell in pixels, increasing along a line.
    """
    lines, positions = numbers.shape
    canvas = np.empty((lines, CELL, CELL * positions), dtype=np.uint8)
    characters = np.ascontiguousarray(characters)
    smallest_advance = int(np.diff(starts, axis=1).min(initial=CELL))
    layers = -(-CELL // smallest_advance)
    for first in range(0, lines, BLOCK):
        block = slice(first, first + BLOCK)
        _compose_block(canvas[block], characters, numbers[block], starts[block], layers)
    return canvas


def _compose_block(
    canvas: NDArray[np.uint8],
    characters: NDArray[np.uint8],
    numbers: NDArray[np.int64],
    starts: NDArray[np.int64],
    layers: int,
) -> None:
    """Place every `layers`-th position at once, as these do not overlap each other; `layers` times."""
    lines, height, width = canvas.shape
    canvas.fill(0)  # only now, so that it is still in the cache when the ink comes
    # Item (p, r) is the 28 pixels that begin at pixel p, r rows below it: row p of `cells` is a whole cell.
    corners = canvas.size - (height - 1) * width - CELL + 1
    cells = np.ndarray((corners, height), _ROW, canvas, strides=(1, width))
    first_pixels = starts + np.arange(lines)[:, None] * (height * width)
    for layer in range(layers):
        layer_numbers = numbers[:, layer::layers]
        has_ink = layer_numbers >= 0
        ink = characters.take(layer_numbers[has_ink], axis=0)
        corner = first_pixels[:, layer::layers][has_ink]
        if layer:  # below the first layer is nothing but background
            ink += np.minimum(cells[corner].view(np.uint8).reshape(ink.shape), ~ink)
        cells[corner] = ink.view(_ROW)[..., 0]
