"""The pen strokes of the 62 characters that have an EMNIST image, from A. V. Hershey's public-domain fonts."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from HersheyFonts import HersheyFonts
from numpy.typing import NDArray

from pipeline.common.vocabulary import EMNIST_CHARACTERS

PRINT = ("rowmans", "futural")
"""Fonts of one stroke without serifs, much as people print."""
SCRIPT = "cursive"
SCRIPT_CHARACTERS = "abcdeghijklmnopqrstuvwyzCELMNOPRUVWY"
"""Its other letters look like nothing in EMNIST, or fill with ink at this size."""
MAX_SEGMENT = 3.0
"""Font units, of which a capital is 21 high; shorter segments follow a warp as a curve would."""


@dataclass(frozen=True)
class Strokes:
    """One character as a pen draws it, x to the right and y down, of which only the shape has a meaning."""

    points: NDArray[np.float32]
    """(K, 2) x and y of the points of all strokes, one stroke after the other."""
    stroke: NDArray[np.intp]
    """(K,) number of the stroke that each point is on, from 0."""
    begins: NDArray[np.intp]
    """(M,) points from which a segment leads to the next point."""


@cache
def load_strokes() -> tuple[tuple[Strokes, ...], ...]:
    """The ways to draw each character, by EMNIST label."""
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
    """Split its segments into equal parts of at most `MAX_SEGMENT`."""
    lengths = np.hypot(*np.diff(polyline, axis=0).T)
    ends = np.cumsum(np.maximum(np.ceil(lengths / MAX_SEGMENT), 1))
    knots = np.concatenate(([0], ends))
    at = np.arange(knots[-1] + 1)
    return np.stack([np.interp(at, knots, axis) for axis in polyline.T], axis=1).astype(np.float32)
