"""A picture of one line as the image that a recognizer reads."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from pipeline.common.geometry import CELL
from pipeline.data.pictures.frames import drop_frames
from pipeline.data.pictures.ink import SAMPLED, Grey, find_ink, normalize_ink
from pipeline.data.pictures.skew import straighten

CELL_FILL = 24 / 28
"""The part of the height that the ink of EMNIST's characters fills."""
CELL_MARGINS = 0.03, 0.11
"""Blank rows above and below that such lines keep as they are, as fractions of the height."""
LOOSE = 0.5
"""Where the ink fills less of the height than this, rows are cut."""
CORE_INK = 0.3
"""Rows with more ink than this fraction of the fullest row belong to the small letters."""
CORE = 2.2
"""The height of a line with ascenders and descenders, in heights of its small letters."""
MARGIN = 3 / 28
"""Blank columns that are kept on either side, as a fraction of the height."""
DETAIL, MAX_SIDE = 4, 800
"""A picture is reduced if it is higher than so many times the height of the result, and has a side of more pixels."""
FAINT = 0.4
"""Weaker ink, as a fraction of full ink, does not say where the line is."""


@dataclass(frozen=True)
class LineImage:
    """What a recognizer reads, and where in the picture it is."""

    pixels: NDArray[np.uint8]
    """(H, W), 0 for background and 255 for full ink."""
    box: tuple[float, float, float, float]
    """Left, top, right and bottom in pixels of the picture, perhaps beyond its edges."""


def find_line_ink(grey: Image.Image, height: int) -> Grey:
    """The ink of a picture without frames, straight, in no more detail than lines of `height` pixels need."""
    reduction = min(grey.height // (DETAIL * height), max(grey.size) // MAX_SIDE)
    return drop_frames(straighten(find_ink(grey.reduce(reduction) if reduction > 1 else grey)))


def draw_line(ink: Grey, size: tuple[int, int], height: int) -> LineImage | None:
    """The line, `height` pixels high, in the ink of a picture of `size` (width, height); None if it is blank.

    At `CELL` pixels, characters get the size that they have in lines made of EMNIST's. At other heights, the line keeps
    the size that it has in its picture, and only much air above and below is cut. The rows of a picture that is already
    such a line are kept as they are. Blank columns on the left and right are cut.
    """
    box = find_box(ink, cells=height == CELL)
    if box is None:
        return None
    top, bottom, left, right = box
    pixels = normalize_ink(_scale(_crop(ink, top, bottom, left, right), height))
    if pixels is None:
        return None
    scale = size[0] / ink.shape[1]
    shift = (ink.shape[0] - size[1] / scale) / 2
    return LineImage(pixels, (left * scale, (top - shift) * scale, right * scale, (bottom - shift) * scale))


def trim_columns(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A line image (H, W) without the blank columns on its left and right, except for a margin."""
    columns = np.flatnonzero((image > FAINT * 255).any(0))
    if not columns.size:
        return image[:, : image.shape[0]]
    margin = round(MARGIN * image.shape[0])
    return image[:, max(0, int(columns[0]) - margin) : int(columns[-1]) + 1 + margin]


def find_box(ink: Grey, *, cells: bool) -> tuple[int, int, int, int] | None:
    """Top, bottom, left and right of the line in a picture's ink, perhaps beyond its edges; None if it is blank."""
    drawn = drop_specks(ink > max(FAINT * _full(ink), 1))
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    if not rows.size:
        return None
    top, bottom = _line_rows(drawn, int(rows[0]), int(rows[-1]) + 1, cells)
    margin = round(MARGIN * (bottom - top))
    return top, bottom, max(0, int(columns[0]) - margin), min(ink.shape[1], int(columns[-1]) + 1 + margin)


def _full(ink: Grey) -> float:
    sampled = ink[::SAMPLED, ::SAMPLED]
    drawn = sampled[sampled > 0]
    return float(np.quantile(drawn, 0.98)) if drawn.size else 0.0


def drop_specks(drawn: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without areas that are too small for a dot on an i."""
    least = (0.04 * min(drawn.shape)) ** 2
    if least <= 1:
        return drawn
    areas, _ = ndimage.label(drawn)
    large = np.bincount(areas.ravel()) >= least
    large[0] = False
    return large[areas] if large.any() else drawn


def _line_rows(drawn: NDArray[np.bool_], first: int, end: int, cells: bool) -> tuple[int, int]:
    height, used = drawn.shape[0], end - first
    if cells:
        least, most = CELL_MARGINS
        if all(least * height <= blank <= most * height for blank in (first, height - end)):
            return 0, height
        wanted = used / CELL_FILL
    else:
        if used >= LOOSE * height:
            return 0, height
        profile = drawn.sum(1)
        core = np.flatnonzero(profile > CORE_INK * profile.max())
        wanted = max(used / CELL_FILL, CORE * (int(core[-1]) - int(core[0]) + 1))
        if wanted >= height:
            return 0, height
    top = round((first + end - wanted) / 2)
    return top, top + round(wanted)


def _crop(ink: Grey, top: int, bottom: int, left: int, right: int) -> Grey:
    above, below = max(0, -top), max(0, bottom - ink.shape[0])
    inside = ink[max(0, top) : bottom, left:right]
    return np.pad(inside, ((above, below), (0, 0))) if above or below else inside


def _scale(ink: Grey, height: int) -> Grey:
    if ink.shape[0] == height:
        return ink
    width = max(1, round(ink.shape[1] * height / ink.shape[0]))
    method = Image.Resampling.BOX if ink.shape[0] > height else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(np.ascontiguousarray(ink)).resize((width, height), method), dtype=np.float32)
