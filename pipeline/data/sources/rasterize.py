"""Ink along the segments of many strokes at once, by each pixel's exact distance to the nearest."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.common.geometry import CELL

CHUNK = 32
"""Images rendered at once: some megabytes of distances."""


@dataclass(frozen=True)
class Pens:
    """How N characters are inked."""

    radius: NDArray[np.float32]
    """(N, 1) pixels from the middle of a line to where its ink is half as dark."""
    blur: NDArray[np.float32]
    """(N, 1) pixels that the edge takes on either side of that."""


def ink(points: NDArray[np.float32], begins: NDArray[np.intp], pens: Pens) -> NDArray[np.uint8]:
    """Render the segments from `points[:, begins]` to the next points, (N, 28, 28), 0 paper to 255 ink.

    `points` (N, K, 2) are x and y in pixels from the image's centre, to the right and down.
    """
    images = np.empty((len(points), CELL, CELL), dtype=np.uint8)
    for start in range(0, len(points), CHUNK):
        chunk = slice(start, start + CHUNK)
        distance = _distance(points[chunk], begins)
        density = (pens.radius[chunk] + pens.blur[chunk] - distance) / (2 * pens.blur[chunk])
        np.clip(density, 0, 1, out=density)
        density *= density * (3 - 2 * density)  # no visible edge where the ink ends
        images[chunk] = np.rint(255 * density).reshape(-1, CELL, CELL)
    return images


def _distance(points: NDArray[np.float32], begins: NDArray[np.intp]) -> NDArray[np.float32]:
    """(N, 784) distances in pixels from the centres of an image's pixels to the nearest segment.

    At the pixel p a segment from a, of direction u and length l, is nearest at t = clip((p - a)·u, 0, l),
    where the squared distance is |p|² + (|a|² - 2 p·a) + t (t - 2 (p - a)·u): two matrix products.
    """
    start, step = points[:, begins], np.diff(points, axis=1)[:, begins]
    length = np.linalg.norm(step, axis=2)
    direction = step / np.maximum(length, np.float32(1e-6))[..., None]
    along = _homogeneous(direction, -(start * direction).sum(axis=2))
    beside = _homogeneous(-2 * start, (start * start).sum(axis=2))
    projection, square = PIXELS @ along, PIXELS @ beside
    nearest = np.clip(projection, 0, length[:, None])
    projection *= -2
    projection += nearest
    projection *= nearest
    square += projection
    nearest_square = square.min(axis=2) + (PIXELS[:, :2] ** 2).sum(axis=1)
    distance: NDArray[np.float32] = np.sqrt(np.maximum(nearest_square, 0))
    return distance


def _homogeneous(vectors: NDArray[np.float32], offsets: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([vectors, offsets[..., None]], axis=2).transpose(0, 2, 1)


def _pixel_centres() -> NDArray[np.float32]:
    """(784, 3) x, y and 1 of each pixel, from the image's centre and row by row."""
    y, x = np.mgrid[:CELL, :CELL].reshape(2, -1) - (CELL - 1) / 2
    return np.stack([x, y, np.ones_like(x)], axis=1).astype(np.float32)


PIXELS = _pixel_centres()
