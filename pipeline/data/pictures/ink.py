"""Find the ink of a grey picture: what differs from the paper around it, dark or light."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, stats

MIN_CONTRAST = 24
"""With fewer brightness levels between background and ink, a picture is blank."""
FULL_INK = 0.995
"""The fraction of the ink's pixels that are at most fully dark."""
SAMPLED_ROWS = 14
"""Rows at which the background is looked for."""
MAX_SPREAD = 3.0
"""How many standard deviations of the paper's noise are background."""

Grey = NDArray[np.float32]


def separate_ink(grey: Image.Image) -> NDArray[np.uint8] | None:
    """Ink (H, W) uint8 of a grey line, 0 for background and 255 for full ink; None if the picture is blank."""
    return normalize_ink(find_ink(grey))


def find_ink(grey: Image.Image) -> Grey:
    """How much each pixel differs from the paper around it, in levels of 255; 0 on the side that is not ink."""
    values = np.asarray(grey, dtype=np.float32)
    paper = local_background(values)
    difference = values - paper
    if is_dark(difference):
        ink, room = -difference, paper
    else:
        ink, room = difference, 255 - paper
    # In a shadow, ink and paper are closer to each other in the same proportion.
    ink *= float(np.median(room)) / np.maximum(room, 0.2 * float(np.median(room)) + 1)
    calm = np.abs(difference[np.abs(difference) < MIN_CONTRAST])
    noise = 1.4826 * float(np.median(calm)) if calm.size else 0.0
    found: Grey = np.maximum(ink - MAX_SPREAD * noise, 0) if noise > 1 else np.maximum(ink, 0)
    return found


def normalize_ink(ink: Grey) -> NDArray[np.uint8] | None:
    """Scale ink in levels so that full ink is 255; None if there is too little contrast."""
    drawn = ink[ink > MIN_CONTRAST]
    if not drawn.size:
        return None
    scaled: NDArray[np.uint8] = np.clip(ink * (255 / np.quantile(drawn, FULL_INK)), 0, 255).round().astype(np.uint8)
    return scaled


def is_dark(difference: Grey) -> bool:
    """Whether the ink is darker than the paper: whether more pixels are.

    Edges do not count: areas that cover more than half of a side of the picture.
    """
    return _count(difference < -MIN_CONTRAST) >= _count(difference > MIN_CONTRAST)


def _count(mask: NDArray[np.bool_]) -> int:
    areas, count = ndimage.label(mask)
    if not count:
        return 0
    pixels = np.bincount(areas.ravel(), minlength=count + 1)
    for side in (areas[0], areas[-1], areas[:, 0], areas[:, -1]):
        pixels[np.bincount(side, minlength=count + 1) > len(side) / 2] = 0
    return int(pixels[1:].sum())


def local_background(values: Grey) -> Grey:
    """The brightness of the paper at each pixel.

    It is the sum of medians along the line, which follow sharp shadows, a slope across it, and what remains, as medians
    over an area as high as the picture and twice as wide. Less than half of such an area is ink.
    """
    if not values.size or float(np.ptp(values)) < 1:
        return values.copy()
    height, width = values.shape
    columns = ndimage.median_filter(np.median(values, axis=0), size=min(2 * height + 1, width), mode="nearest")
    rows = np.median(values - columns, axis=1)
    slope = stats.theilslopes(rows)
    trend = columns + (slope.intercept + slope.slope * np.arange(height))[:, None]
    step = max(1, round(height / SAMPLED_ROWS))
    rest = (values - trend)[step // 2 :: step, step // 2 :: step]  # samples, as means would mix ink and paper
    rest = ndimage.median_filter(rest, size=(rest.shape[0], 2 * rest.shape[0] + 1), mode="reflect")
    smooth = ndimage.gaussian_filter(rest, (0, 1), mode="nearest")
    return np.asarray(trend + _enlarge(smooth, values.shape, step), dtype=np.float32)


def _enlarge(coarse: Grey, shape: tuple[int, ...], step: int) -> Grey:
    """Interpolate between samples, which are `step` pixels apart."""
    ys, xs = ((np.arange(size) - step // 2) / step for size in shape)
    grid = np.meshgrid(ys, xs, indexing="ij")
    enlarged: Grey = ndimage.map_coordinates(coarse, grid, order=1, mode="nearest", output=np.float32)
    return enlarged
