from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.data.transcriptions.cut import Strip, cut_strip, find_strip, neighbour_distance
from pipeline.data.transcriptions.layout import LineShape
from tests.data.transcriptions.drawn import ABOVE, BELOW, Baseline, draw_page, polygon_of

HEIGHT = ABOVE + BELOW
"""At this height, a pixel of the line is a pixel of the page."""


def shape(baseline: Baseline, polygon: Baseline = ()) -> LineShape:
    return LineShape("line", "text", tuple(baseline), tuple(polygon))


def strip(line: LineShape, *others: LineShape) -> Strip:
    found = find_strip(line, others)
    assert found is not None
    return found


def ink_rows(image: Image.Image) -> list[list[int]]:
    """The rows with ink of every column, without the first and last two, which the edge blurs."""
    return [np.flatnonzero(column < 128).tolist() for column in np.asarray(image).T[2:-2]]


@pytest.mark.parametrize(
    "baseline",
    [
        [(20, 100), (320, 100)],
        [(20, 80), (320, 140)],
        [(20, 140), (320, 80)],
        [(20, 100), (120, 120), (220, 90), (320, 100)],
        [(20, 100), (170, 104), (320, 100)][::-1],
    ],
)
def test_a_line_is_straightened_along_its_baseline(tmp_path: Path, baseline: Baseline) -> None:
    draw_page(tmp_path / "page.png", [baseline])
    found = strip(shape(baseline, polygon_of(sorted(baseline))))
    length = sum(np.hypot(x1 - x0, y1 - y0) for (x0, y0), (x1, y1) in pairwise(baseline))
    with Image.open(tmp_path / "page.png") as page:
        line = cut_strip(page, found, HEIGHT)
    assert line.size == (found.width(HEIGHT), HEIGHT) == (round(length), HEIGHT)
    for rows in ink_rows(line):  # ink ends at the baseline and begins ten pixels above it
        assert abs(rows[0] - (ABOVE - 10)) <= 1
        assert abs(rows[-1] - ABOVE) <= 1


def test_what_is_outside_of_the_polygon_is_background(tmp_path: Path) -> None:
    first, second = [(20, 100), (320, 100)], [(20, 112), (320, 112)]
    draw_page(tmp_path / "page.png", [first, second])
    with Image.open(tmp_path / "page.png") as page:
        tight = cut_strip(page, strip(shape(first, [*polygon_of(first, 20, 1), (20, 112)])), HEIGHT)
        assert np.asarray(tight)[ABOVE + 4 :, 40:].min() == 230


@pytest.mark.parametrize("height", [15, 30, 60])
def test_the_width_keeps_the_proportions(tmp_path: Path, height: int) -> None:
    baseline = [(20, 100), (320, 100)]
    draw_page(tmp_path / "page.png", [baseline])
    found = strip(shape(baseline, polygon_of(baseline)))
    assert found.width(height) == 300 * height // HEIGHT
    with Image.open(tmp_path / "page.png") as page:
        assert cut_strip(page, found, height).size == (found.width(height), height)


def test_a_line_that_leaves_the_page_goes_on_as_paper(tmp_path: Path) -> None:
    baseline = [(-30, 5), (430, 5)]
    draw_page(tmp_path / "page.png", [baseline])
    with Image.open(tmp_path / "page.png") as page:
        line = np.asarray(cut_strip(page, strip(shape(baseline, polygon_of(baseline))), HEIGHT))
    assert line.shape == (HEIGHT, 460)
    assert line[:, :25].min() >= 225  # left of the page
    assert line[ABOVE - 3, 100] < 40


def test_a_line_with_only_a_box() -> None:
    found = strip(shape((), [(10, 20), (110, 20), (110, 60), (10, 60)]))
    assert found.baseline.tolist() == [[10, 50], [110, 50]]
    assert (found.above, found.below, found.length) == (30, 10, 100)


def test_a_line_with_only_a_baseline_is_as_high_as_its_distance_to_its_neighbours() -> None:
    lines = [shape([(10, y), (110, y)]) for y in (100, 140, 190)]
    found = strip(lines[1], lines[0], lines[2])
    assert (found.above, found.below) == pytest.approx((0.75 * 40, 0.3 * 40))


def test_lines_of_another_column_are_no_neighbours() -> None:
    line, beside = shape([(10, 100), (110, 100)]), shape([(210, 105), (310, 105)])
    assert neighbour_distance(np.array(line.baseline, float), [beside]) == max(0.05 * 100, 8)


@pytest.mark.parametrize(
    "line",
    [
        shape(()),
        shape([(5, 5)]),
        shape((), [(5, 5), (6, 6)]),
        shape([(5, 5), (7, 5)], [(5, 3), (7, 3), (7, 9)]),
        shape([(5, 50), (300, 50)], [(5, 50), (300, 50), (150, 51)]),
    ],
)
def test_a_line_without_an_area_has_no_strip(line: LineShape) -> None:
    assert find_strip(line, []) is None


@pytest.mark.parametrize(
    ("start", "end", "box"),
    [
        (0, 1, (20, 60, 180, 150)),
        (0, 0.25, (20, 90, 60, 150)),
        (0.5, 1, (100, 60, 180, 150)),
        (0.25, 0.75, (60, 60, 140, 120)),
        (0.25, 0.25, (60, 90, 60, 120)),
    ],
)
def test_the_box_of_a_part_of_a_line(start: float, end: float, box: tuple[int, ...]) -> None:
    baseline = [(20, 140), (100, 80), (180, 140)]  # two slopes of 100 pixels each
    assert strip(shape(baseline, polygon_of(baseline, above=20, below=10))).box(start, end) == box


def test_a_box_does_not_begin_before_the_page() -> None:
    baseline = [(0, 5), (100, 5)]
    assert strip(shape(baseline, polygon_of(baseline, above=20, below=10))).box(0, 1) == (0, 0, 100, 15)
