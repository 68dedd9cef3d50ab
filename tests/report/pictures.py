"""Helpers for tests of pictures."""

from pathlib import Path

import matplotlib.image
import numpy as np
from numpy.typing import NDArray


def read_png(path: Path) -> NDArray[np.float64]:
    """The picture as (height, width, 3), 0 to 1."""
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    return np.asarray(matplotlib.image.imread(path), dtype=np.float64)[..., :3]


def count_pixels(picture: NDArray[np.float64], colour: str) -> int:
    """Count the pixels of exactly this colour, such as `#1f5fa8`."""
    wanted = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return int((np.abs(picture - wanted) < 0.5 / 255).all(axis=2).sum())
