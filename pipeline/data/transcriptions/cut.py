"""Cut a line out of a page and straighten it along its baseline."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pipeline.data.transcriptions.base import scaled_width
from pipeline.data.transcriptions.layout import LineShape, Points

MIN_SIDE = 4
"""Pixels of the page. A line that is lower or shorter has nothing to read."""
BASELINE_HEIGHT = 0.25
"""Where a line has no baseline: its height above the bottom of the box, as a fraction of the box."""
ABOVE, BELOW = 0.75, 0.3
"""Where a line has only a baseline: what belongs to it, as fractions of the distance to its neighbours."""
ALONE = 0.05
"""The same distance where a line has no neighbours, as a fraction of its length."""
MAX_SEGMENT = 64.0
"""Pixels of the page along the baseline that are straightened as one quadrilateral."""


@dataclass(frozen=True)
class Strip:
    """The band of the page that holds a line: `above` and `below` pixels on either side of its baseline."""

    baseline: NDArray[np.float64]
    """(P, 2) points from left to right."""
    above: float
    below: float
    polygon: Points

    @cached_property
    def length(self) -> float:
        """Length of the baseline in pixels of the page."""
        return float(np.hypot(*np.diff(self.baseline, axis=0).T).sum())

    @property
    def height(self) -> float:
        """Pixels of the page across the line."""
        return self.above + self.below

    @property
    def size(self) -> tuple[float, float]:
        """Length and height in pixels of the page."""
        return self.length, self.height

    def box(self, start: float, end: float) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the part between two fractions of the length, in whole pixels of the page."""
        along = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(self.baseline, axis=0).T))))
        first, last = start * self.length, end * self.length
        places = np.concatenate(([first, last], along[(along > first) & (along < last)]))
        xs, ys = (np.interp(places, along, values) for values in self.baseline.T)
        left, top = math.floor(xs.min()), math.floor(ys.min() - self.above)
        return max(0, left), max(0, top), math.ceil(xs.max()), math.ceil(ys.max() + self.below)

    def width(self, height: int) -> int:
        """The width of the line's image when it is `height` pixels high."""
        return scaled_width(self.size, height)


def find_strip(line: LineShape, others: Sequence[LineShape]) -> Strip | None:
    """The strip of a line among `others` of its page; None if it has no shape, or one without an area."""
    points = np.array(line.polygon, dtype=np.float64).reshape(-1, 2)
    baseline = np.array(line.baseline, dtype=np.float64).reshape(-1, 2)
    if len(baseline) >= 2 and baseline[0, 0] > baseline[-1, 0]:
        baseline = baseline[::-1]
    if len(baseline) < 2:
        if len(points) < 3:
            return None
        (left, top), (right, bottom) = points.min(0), points.max(0)
        y = bottom - BASELINE_HEIGHT * (bottom - top)
        baseline = np.array([[left, y], [right, y]])
    if len(points) >= 3:
        distances = signed_distances(points, baseline)
        above, below = max(0.0, float(distances.max())), max(0.0, float(-distances.min()))
    else:
        distance = neighbour_distance(baseline, others)
        above, below = ABOVE * distance, BELOW * distance
    strip = Strip(baseline, above, below, tuple((x, y) for x, y in points.tolist()))
    return strip if min(strip.length, strip.height) >= MIN_SIDE else None


def signed_distances(points: NDArray[np.float64], baseline: NDArray[np.float64]) -> NDArray[np.float64]:
    """The vertical distances of points (N, 2) from a baseline (P, 2), above it positive."""
    return np.asarray(np.interp(points[:, 0], baseline[:, 0], baseline[:, 1]) - points[:, 1])


def neighbour_distance(baseline: NDArray[np.float64], others: Sequence[LineShape]) -> float:
    """The median distance in pixels of the page between a baseline and the nearest ones above and below it."""
    left, right = baseline[[0, -1], 0]
    middle = (left + right) / 2
    y = float(np.interp(middle, baseline[:, 0], baseline[:, 1]))
    gaps = []
    for other in others:
        points = np.array(sorted(other.baseline), dtype=np.float64).reshape(-1, 2)
        if len(points) >= 2 and points[0, 0] < right and points[-1, 0] > left:
            gaps.append(float(np.interp(middle, points[:, 0], points[:, 1])) - y)
    nearest = [min((abs(gap) for gap in gaps if sign * gap > MIN_SIDE), default=math.nan) for sign in (-1, 1)]
    found = [gap for gap in nearest if not math.isnan(gap)]
    return min(found) if found else max(ALONE * (right - left), 2.0 * MIN_SIDE)


def cut_strip(page: Image.Image, strip: Strip, height: int) -> Image.Image:
    """The line of a grey page as an image `height` pixels high, straight, with background around its polygon."""
    margin = strip.height + 2
    xs, ys = strip.baseline[:, 0], strip.baseline[:, 1]
    box = (
        math.floor(xs.min() - margin),
        math.floor(ys.min() - strip.above - margin),
        math.ceil(xs.max() + margin),
        math.ceil(ys.max() + strip.below + margin),
    )
    paper = int(np.median(np.asarray(page.crop(_inside(box, page.size)))))
    crop = Image.new("L", (box[2] - box[0], box[3] - box[1]), paper)
    crop.paste(page, (-box[0], -box[1]))
    if len(strip.polygon) >= 3:
        mask = Image.new("L", crop.size, 0)
        ImageDraw.Draw(mask).polygon([(x - box[0], y - box[1]) for x, y in strip.polygon], fill=255)
        crop = Image.composite(crop, Image.new("L", crop.size, paper), mask)
    reduction = max(1, int(strip.height / height))
    if reduction > 1:
        crop = crop.reduce(reduction)
    points = (strip.baseline - box[:2]) / reduction
    mesh = list(_mesh(points, strip.above / reduction, strip.below / reduction, strip.width(height), height))
    size = strip.width(height), height
    return crop.transform(size, Image.Transform.MESH, mesh, Image.Resampling.BICUBIC, fillcolor=paper)


def _inside(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    left, top = min(max(box[0], 0), size[0] - 1), min(max(box[1], 0), size[1] - 1)
    return left, top, max(left + 1, min(box[2], size[0])), max(top + 1, min(box[3], size[1]))


def _mesh(
    points: NDArray[np.float64], above: float, below: float, width: int, height: int
) -> Sequence[tuple[tuple[int, int, int, int], tuple[float, ...]]]:
    """Pairs of an upright box of the line's image and the quadrilateral of the page that it shows."""
    ends = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))))
    count = max(1, math.ceil(ends[-1] / MAX_SEGMENT))
    even, bends = np.linspace(0, width, min(count, width) + 1), ends * width / ends[-1]
    columns = np.unique(np.concatenate((even, bends)).round().astype(int))
    along = columns * ends[-1] / width
    xs, ys = np.interp(along, ends, points[:, 0]), np.interp(along, ends, points[:, 1])
    quads = []
    for first in range(len(columns) - 1):
        (x0, y0), (x1, y1) = (xs[first], ys[first]), (xs[first + 1], ys[first + 1])
        corners = (x0, y0 - above, x0, y0 + below, x1, y1 + below, x1, y1 - above)
        quads.append(((int(columns[first]), 0, int(columns[first + 1]), height), tuple(map(float, corners))))
    return quads
