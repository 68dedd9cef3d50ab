"""Pen strokes of EMNIST's 62 characters, from A. V. Hershey's public-domain fonts."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from HersheyFonts import HersheyFonts
from numpy.typing import NDArray

from pipeline.common.vocabulary import EMNIST_CHARACTERS

PRINT = ("rowmans", "futural")
"""Single-stroke fonts without serifs, similar to printed handwriting."""
SCRIPT = "cursive"
SCRIPT_CHARACTERS = "abcdeghijklmnopqrstuvwyzCELMNOPRUVWY"
"""The letters taken from `SCRIPT`; its others look like nothing in EMNIST, or fill with ink at this size."""
MAX_SEGMENT = 3.0
"""In font units; a capital letter is 21 high. Segments this short bend like a curve when points are warped."""


@dataclass(frozen=True)
class Strokes:
    """One character as a pen draws it, x to the right and y down, in any unit and position."""

    points: NDArray[np.float32]
    """(K, 2) x and y of all points, one stroke after the other."""
    stroke: NDArray[np.intp]
    """(K,) number of each point's stroke, from 0."""
    segment_starts: NDArray[np.intp]
    """(M,) indices of the points from which a segment leads to the next point."""


@cache
def load_strokes() -> tuple[tuple[Strokes, ...], ...]:
    """Return the ways to draw each character, by EMNIST label."""
    fonts = [HersheyFonts(load_default_font=name).all_glyphs for name in (*PRINT, SCRIPT)]
    return tuple(
        tuple(
            _join([np.array(stroke, dtype=np.float32) for stroke in font[name].strokes])
            for font in (fonts if name in SCRIPT_CHARACTERS else fonts[: len(PRINT)])
        )
        for name in EMNIST_CHARACTERS
    )


def _join(polylines: list[NDArray[np.float32]]) -> Strokes:
    fine = [_subdivide(polyline) for polyline in polylines]
    stroke = np.repeat(np.arange(len(fine)), [len(points) for points in fine])
    return Strokes(np.concatenate(fine), stroke, np.flatnonzero(stroke[:-1] == stroke[1:]))


def _subdivide(polyline: NDArray[np.float32]) -> NDArray[np.float32]:
    """Split each segment into equal parts of at most `MAX_SEGMENT`."""
    lengths = np.hypot(*np.diff(polyline, axis=0).T)
    ends = np.cumsum(np.maximum(np.ceil(lengths / MAX_SEGMENT), 1))
    knots = np.concatenate(([0], ends))
    at = np.arange(knots[-1] + 1)
    return np.stack([np.interp(at, knots, axis) for axis in polyline.T], axis=1).astype(np.float32)
