"""Find edges of a picture: what a scanner or a table shows beside the paper, and the corners of a turned picture."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SAMPLED = 3
"""Every third pixel in each direction shows the range of brightness."""
COVERED = 0.8
"""An edge lies along this fraction of a side."""
STRAIGHT = 0.98
"""In a picture that is not as wide as a line, it lies along this fraction."""
THICK = 0.45
"""Edges cover less of a picture's height or width."""
STEP, SPREAD = 0.25, 0.3
"""Beside an edge, brightness changes at least by this part of its range; along it at most. Shadows differ."""
RIM = 2
"""Pixels beside an edge that are partly edge."""

Values = NDArray[np.float32]
Pixel = TypeVar("Pixel", bound=np.generic)


def find_edges(values: Values) -> NDArray[np.bool_] | None:
    """A mask (H, W) of the pixels of edges that are darker than the paper; on dark paper, lighter. None without any.

    They lie along the top or the bottom of a line, or along all sides.
    """
    low, median, light, high = np.quantile(values[::SAMPLED, ::SAMPLED], (0.005, 0.5, 0.75, 0.995))
    middle, span = (low + high) / 2, high - low
    edges = _mark_edges(values, middle, span) if light > middle else None  # at least a quarter may be paper
    if edges is None and median < middle:
        edges = _mark_edges(-values, -middle, span)
    return edges


def _mark_edges(values: Values, limit: float, span: float) -> NDArray[np.bool_] | None:
    """The pixels of edges that are darker than `limit`."""
    dark = values < limit
    height, width = dark.shape
    covered = [float(side.mean()) for side in (dark[0], dark[-1], dark[:, 0], dark[:, -1])]
    if min(covered) > COVERED:
        found = [True] * 4
    else:
        needed = COVERED if width > 2 * height else STRAIGHT if width > height else 1.0
        top, bottom = (share > needed for share in covered[:2])
        found = [top, bottom, top and bottom, top and bottom]
    edges = np.zeros_like(dark)
    sides = zip(found, _from_sides(dark), _from_sides(values), _from_sides(edges), strict=True)
    for is_found, side, brightness, marked in sides:
        if is_found and not _mark_edge(side, brightness, span, marked):
            return None
    return edges if any(found) and dark[~edges].mean() < 0.5 else None  # the rest is paper


def _from_sides(pixels: NDArray[Pixel]) -> list[NDArray[Pixel]]:
    """Views whose first rows are the top, the bottom, the left and the right."""
    return [pixels, pixels[::-1], pixels.T, pixels.T[::-1]]


def _mark_edge(dark: NDArray[np.bool_], values: Values, span: float, edges: NDArray[np.bool_]) -> bool:
    """Mark the edge along the first row, in each column as far as it reaches; letters that touch it stay.

    False if what is dark there is no edge.
    """
    depths = np.where(dark.all(0), len(dark), np.argmin(dark, axis=0))
    usual = ndimage.median_filter(depths, size=min(len(dark) | 1, len(depths)), mode="nearest")
    depths = np.minimum(depths, usual)
    if not depths.any():
        return True
    if np.median(depths) > THICK * len(dark):
        return False
    columns, rows = np.arange(dark.shape[1]), np.arange(len(dark))[:, None]
    first, last = np.quantile(values[rows < depths], (0.05, 0.95))
    beside = np.median(values[np.minimum(depths + RIM, len(dark) - 1), columns])
    if last - first > SPREAD * span or beside - last < STEP * span:
        return False
    edges[rows < np.where(usual > 0, depths + RIM, 0)] = True
    return True
