"""Count the lines of text in the ink of a picture."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.pictures.ink import MIN_CONTRAST, Grey

GAP = 0.12
"""Rows with less ink than this fraction of the fullest row are between lines."""
HIGH = 0.4
"""A line is at least this fraction of the highest one high; lower bands are dots and accents."""


def count_lines(ink: Grey) -> int:
    """The number of lines that the ink of a picture seems to show, at least 1."""
    drawn = ink > max(MIN_CONTRAST, 0.25 * float(ink.max(initial=0)))
    profile = drawn.sum(1)
    bands = _runs(profile > GAP * profile.max(initial=0))
    highest = max((end - start for start, end in bands), default=0)
    return max(1, sum(_is_line(drawn[start:end]) for start, end in bands if end - start >= HIGH * highest))


def _is_line(band: NDArray[np.bool_]) -> bool:
    """Whether a band of rows has several characters beside each other, and not only a dot or a bar."""
    columns = _runs(band.any(0))
    return len(columns) >= 2 and columns[-1][1] - columns[0][0] >= 2 * len(band)


def _runs(mask: Any) -> list[tuple[int, int]]:
    """Start and end of each run of true values."""
    changes = np.flatnonzero(np.diff(np.pad(mask.astype(np.int8), 1)))
    return list(zip(changes[::2].tolist(), changes[1::2].tolist(), strict=True))
