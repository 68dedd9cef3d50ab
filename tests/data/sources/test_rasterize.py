import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.data.sources.rasterize import Pens, rasterize


def test_ink_follows_the_distance_to_the_nearest_segment() -> None:
    # An upright, a slanted and a level segment, with a lifted pen between the first and the rest.
    points = np.array([[-6, -8], [-6, 8], [0, 5], [4, -5], [9, -5]], dtype=np.float32)
    begins = np.array([0, 2, 3])
    radius, blur = 1.5, 1.0
    pens = Pens(np.full((1, 1), radius, np.float32), np.full((1, 1), blur, np.float32))
    image = rasterize(points[None], begins, pens)[0]
    for row, column in np.ndindex(28, 28):
        pixel = np.array([column - 13.5, row - 13.5])
        distance = min(distance_to(pixel, points[i], points[i + 1]) for i in begins)
        density = np.clip((radius + blur - distance) / (2 * blur), 0, 1)
        assert image[row, column] == pytest.approx(255 * density**2 * (3 - 2 * density), abs=0.51)


def distance_to(pixel: NDArray[np.float64], a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    along = np.clip(np.dot(pixel - a, b - a) / np.dot(b - a, b - a), 0, 1)
    return float(np.hypot(*(pixel - a - along * (b - a))))


def test_points_that_coincide_make_a_dot() -> None:
    pens = Pens(np.full((1, 1), 2, np.float32), np.full((1, 1), 1, np.float32))
    image = rasterize(np.zeros((1, 2, 2), dtype=np.float32), np.array([0]), pens)[0]
    assert image[13:15, 13:15].min() == 255
    assert not image[:10].any()
