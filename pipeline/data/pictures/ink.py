"""Find the ink of a grey picture: what differs from the paper around it, dark or light."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from pipeline.data.pictures.edges import find_edges

MIN_CONTRAST = 24
"""With fewer brightness levels between background and ink, a picture is blank."""
FULL_INK = 0.995
"""The fraction of the ink's pixels that are at most fully dark."""
SAMPLED_ROWS = 14
"""At least as many rows show the background."""
SAMPLED = 3
"""Every third pixel in each direction shows how bright paper, noise and ink are."""
MAX_SPREAD = 3.0
"""How many standard deviations of the paper's noise are background."""

Grey = NDArray[np.float32]


def separate_ink(grey: Image.Image) -> NDArray[np.uint8] | None:
    """Ink (H, W) uint8 of a grey line, 0 for background and 255 for full ink; None if the picture is blank."""
    return normalize_ink(find_ink(grey))


def find_ink(grey: Image.Image) -> Grey:
    """How much each pixel differs from the paper around it, in levels of 255; 0 on the side that is not ink."""
    values = np.asarray(grey, dtype=np.float32)
    edges = find_edges(values)
    if edges is not None:
        values = np.where(edges, np.median(values[~edges]), values)
    paper = local_background(values)
    difference = values - paper
    if is_dark(difference):
        ink, room = -difference, paper
    else:
        ink, room = difference, 255 - paper
    # In a shadow, ink and paper are closer to each other in the same proportion.
    usual = float(np.median(room[::SAMPLED, ::SAMPLED]))
    ink *= usual / np.maximum(room, 0.2 * usual + 1)
    deviations = np.abs(difference[::SAMPLED, ::SAMPLED])
    calm = deviations[deviations < MIN_CONTRAST]
    noise = 1.4826 * float(np.median(calm)) if calm.size else 0.0
    found: Grey = np.maximum(ink - MAX_SPREAD * noise if noise > 1 else ink, 0)
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
    sides = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    if not any(side.mean() > 0.5 for side in sides):
        return int(mask.sum())
    areas, count = ndimage.label(mask)
    pixels = np.bincount(areas.ravel(), minlength=count + 1)
    for side in (areas[0], areas[-1], areas[:, 0], areas[:, -1]):
        pixels[np.bincount(side, minlength=count + 1) > len(side) / 2] = 0
    return int(pixels[1:].sum())


def local_background(values: Grey) -> Grey:
    """The brightness of the paper at each pixel.

    It is a slope across the line, and along it the medians of areas as high as the picture and twice as wide. Less than
    half of such an area is ink.
    """
    height, width = values.shape
    step = max(1, height // SAMPLED_ROWS)
    places = np.arange(step // 2, height, step)
    sampled = values[places]

    def along(rows: NDArray[np.floating]) -> NDArray[np.floating]:
        medians: NDArray[np.floating] = np.median(rows, axis=0)
        return np.asarray(ndimage.median_filter(medians, size=min(2 * height + 1, width), mode="nearest"))

    slope = _median_slope(places, np.median(sampled - along(sampled), axis=1))
    columns = along(sampled - slope * places[:, None])  # ink shifts medians less where there is no slope
    return np.asarray(columns + slope * np.arange(height)[:, None], dtype=np.float32)


def _median_slope(places: NDArray[np.int64], values: NDArray[np.floating]) -> float:
    """The median of the slopes between all pairs of points (Theil and Sen)."""
    first, second = np.triu_indices(len(places), 1)
    slopes = (values[second] - values[first]) / (places[second] - places[first])
    return float(np.median(slopes)) if slopes.size else 0.0
