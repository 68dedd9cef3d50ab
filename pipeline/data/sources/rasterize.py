"""Images from pen strokes: each pixel's ink follows from its exact distance to the nearest line segment."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.common.geometry import CELL

CHUNK = 32
"""Images rendered together; their distances take some megabytes."""


@dataclass(frozen=True)
class Pens:
    """The pens of N characters."""

    radius: NDArray[np.float32]
    """(N, 1) pixels from the middle of a stroke to where its ink is half as dark."""
    blur: NDArray[np.float32]
    """(N, 1) pixels on either side of that radius in which the ink fades."""


def rasterize(points: NDArray[np.float32], segment_starts: NDArray[np.intp], pens: Pens) -> NDArray[np.uint8]:
    """Render N characters as images (N, 28, 28), 0 background to 255 ink.

    `points` (N, K, 2) are x (to the right) and y (down) in pixels from the image's centre. A segment leads from each
    point at `segment_starts` to the next point.
    """
    images = np.empty((len(points), CELL, CELL), dtype=np.uint8)
    for start in range(0, len(points), CHUNK):
        chunk = slice(start, start + CHUNK)
        distance = _distances(points[chunk], segment_starts)
        density = (pens.radius[chunk] + pens.blur[chunk] - distance) / (2 * pens.blur[chunk])
        np.clip(density, 0, 1, out=density)
        density *= density * (3 - 2 * density)  # smoothstep: no visible edge where the ink ends
        images[chunk] = np.rint(255 * density).reshape(-1, CELL, CELL)
    return images


def _distances(points: NDArray[np.float32], segment_starts: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the distance (N, 784) in pixels from each pixel's centre to the nearest segment.

    A segment starts at a and has the unit direction u and the length l. Its point nearest to the pixel p is at
    t = clip((p - a)·u, 0, l). The squared distance there is |p|² + (|a|² - 2 p·a) + t (t - 2 (p - a)·u), so that two
    matrix products suffice for all pixels and segments.
    """
    start, step = points[:, segment_starts], np.diff(points, axis=1)[:, segment_starts]
    length = np.linalg.norm(step, axis=2)
    direction = step / np.maximum(length, np.float32(1e-6))[..., None]
    along = _homogeneous(direction, -(start * direction).sum(axis=2))
    beside = _homogeneous(-2 * start, (start * start).sum(axis=2))
    projection, square = PIXELS @ along, PIXELS @ beside
    nearest = np.clip(projection, 0, length[:, None])
    projection *= -2  # in place, as these arrays are large
    projection += nearest
    projection *= nearest
    square += projection
    nearest_square = square.min(axis=2) + (PIXELS[:, :2] ** 2).sum(axis=1)
    distance: NDArray[np.float32] = np.sqrt(np.maximum(nearest_square, 0))
    return distance


def _homogeneous(vectors: NDArray[np.float32], offsets: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([vectors, offsets[..., None]], axis=2).transpose(0, 2, 1)


def _pixel_centres() -> NDArray[np.float32]:
    """Return x, y and 1 of each pixel, (784, 3), measured from the image's centre, row by row."""
    y, x = np.mgrid[:CELL, :CELL].reshape(2, -1) - (CELL - 1) / 2
    return np.stack([x, y, np.ones_like(x)], axis=1).astype(np.float32)


PIXELS = _pixel_centres()
