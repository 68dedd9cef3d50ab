"""Drop what surrounds a line and is no text: frames, edges of the paper or the scanner, rules along the border."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.data.pictures.ink import MIN_CONTRAST, Grey

LONG, THIN = 0.8, 0.15
"""A rule covers this fraction of the picture's width, and is at most this fraction of its height thick."""
HOLLOW = 0.75
"""The fraction of a frame's pixels that are close to its own four sides."""
RIM = 5
"""Pixels of the square around each pixel that is dropped with it, if it is faint."""
KEPT = 0.05
"""At least this fraction of the ink is kept, and is inside of a frame: a lone bar or ring is a character."""


def drop_frames(ink: Grey) -> Grey:
    """The ink without frames, long rules, and dark edges of the picture."""
    drawn = ink > max(MIN_CONTRAST, 0.2 * float(ink.max(initial=0)))
    areas, _ = ndimage.label(drawn, np.ones((3, 3)))
    boxes = ndimage.find_objects(areas)
    used = _union(boxes)
    dropped = np.zeros_like(drawn)
    for number, box in enumerate(boxes, start=1):
        area = areas[box] == number
        inside = (drawn[box] & ~area).sum()
        if (inside > KEPT * drawn.sum() and _is_frame(area, drawn[used].shape)) or _is_edge(area, box, drawn):
            dropped[box] |= area
    dropped[used] |= _long_rules(drawn[used] & ~dropped[used])
    if not dropped.any() or (drawn & ~dropped).sum() < KEPT * drawn.sum():
        return ink
    rim = ndimage.maximum_filter(dropped.astype(np.uint8), RIM) > 0
    return np.where(rim & ~(drawn & ~dropped), 0, ink)


def _union(boxes: Sequence[tuple[slice, slice]]) -> tuple[slice, ...]:
    """The smallest box that holds all."""
    sides = zip(*boxes, strict=True)
    return tuple(slice(min(s.start for s in side), max(s.stop for s in side)) for side in sides)


def _is_frame(area: NDArray[np.bool_], shape: tuple[int, ...]) -> bool:
    """Whether an area goes around most of what is drawn, close to its own sides."""
    height, width = area.shape
    if height < 0.6 * shape[0] or width < 0.6 * shape[1]:
        return False
    rim = max(1, round(THIN * min(height, width)))
    inside = area[rim : height - rim, rim : width - rim].sum()
    return bool(inside < (1 - HOLLOW) * area.sum()) and bool(
        area[:rim].any(0).mean() > LONG and area[-rim:].any(0).mean() > LONG
    )


def _is_edge(area: NDArray[np.bool_], box: tuple[slice, slice], drawn: NDArray[np.bool_]) -> bool:
    """Whether an area is a band along a whole side of the picture, such as the edge of the paper."""
    height, width = drawn.shape
    rows, columns = box
    if area.shape[1] >= LONG * width and width > 2 * height and (rows.start == 0 or rows.stop == height):
        side = area[0] if rows.start == 0 else area[-1]
        return bool(side.mean() > 0.5)
    if area.shape[0] == height and (columns.start == 0 or columns.stop == width):
        side = area[:, 0] if columns.start == 0 else area[:, -1]
        others = drawn.copy()
        others[box] &= ~area
        inside = np.flatnonzero(~drawn.all(0))  # without bands along both sides
        used = np.flatnonzero(others[:, inside.min() : inside.max() + 1].any(1)) if inside.size else inside
        return bool(side.mean() > LONG and used.size and used[-1] - used[0] < 0.9 * height)
    return False


def _long_rules(drawn: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of straight horizontal rules over most of the picture's width."""
    height, width = drawn.shape
    if width < 2 * height or not (drawn.mean(1) > LONG).any():
        return np.zeros_like(drawn)
    rules = drawn & (drawn.mean(1) > LONG)[:, None]
    thick = _open_columns(drawn, max(2, round(THIN * height)))
    return np.asarray(rules & ~thick)


def _open_columns(drawn: NDArray[np.bool_], length: int) -> NDArray[np.bool_]:
    """The pixels in vertical runs of at least `length`."""
    eroded = ndimage.minimum_filter1d(drawn.astype(np.uint8), length, axis=0, mode="constant")
    shift = -1 if length % 2 == 0 else 0
    return np.asarray(ndimage.maximum_filter1d(eroded, length, axis=0, mode="constant", origin=shift) > 0)
