"""Straighten a line that runs slightly up or down."""

import math

import numpy as np
from PIL import Image

from pipeline.data.pictures.ink import Grey

MAX_ANGLE = 5.0
"""Degrees."""
STEPS = (0.5, 0.1)
"""Degrees of the first and the second search."""
MIN_ANGLE = 0.3
MIN_GAIN = 1.06
"""How much sharper the rows must become."""
MIN_RATIO = 3.0
"""Shorter lines, in heights of their ink, keep their angle: the letters themselves decide their sharpness."""
MAX_POINTS = 2_500


def straighten(ink: Grey) -> Grey:
    """The ink of a line, turned so that it runs along the rows; rows are added for that."""
    angle = math.radians(find_angle(ink))
    if not angle:
        return ink
    height, width = ink.shape
    cos, sin = math.cos(angle), math.sin(angle)
    margin = math.ceil(abs(sin) * width / 2)
    x, y = width / 2, height / 2 + margin  # the center, which stays where it is
    data = (cos, -sin, x - cos * x + sin * y, sin, cos, height / 2 - sin * x - cos * y)
    size = width, height + 2 * margin
    turned = Image.fromarray(ink).transform(size, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
    return np.asarray(turned, dtype=np.float32)


def find_angle(ink: Grey) -> float:
    """Degrees by which the line runs down to the right; 0 if it is straight or too short to know."""
    ys, xs = np.nonzero(ink > 0.4 * float(ink.max(initial=0)))
    if not len(xs):
        return 0.0
    every = max(1, len(xs) // MAX_POINTS)
    ys, xs = ys[::every].astype(np.float64), xs[::every].astype(np.float64)
    if np.ptp(xs) < MIN_RATIO * (np.ptp(ys) - np.ptp(xs) * math.tan(math.radians(MAX_ANGLE))):
        return 0.0

    def sharpness(angle: float) -> float:
        rows = ys - math.tan(math.radians(angle)) * xs
        return float((np.bincount((rows - rows.min()).astype(np.int64)).astype(np.float64) ** 2).sum())

    best = 0.0
    for reach, step in ((MAX_ANGLE, STEPS[0]), (STEPS[0], STEPS[1])):
        angles = best + np.arange(-round(reach / step), round(reach / step) + 1) * step
        best = float(max(angles, key=sharpness))
    return best if MIN_ANGLE <= abs(best) <= MAX_ANGLE and sharpness(best) > MIN_GAIN * sharpness(0.0) else 0.0
