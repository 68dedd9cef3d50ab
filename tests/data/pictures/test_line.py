import numpy as np
import pytest
from PIL import Image

from pipeline.data.pictures.line import LineImage, draw_line, find_line_ink, trim_columns
from tests.data.pictures.drawn import BARS, BARS_INK, BOTTOM, TOP, draw_bars, picture

LEFT, RIGHT = BARS[0], BARS[-1] + 18
LINE = 255 - np.asarray(Image.fromarray(draw_bars()).resize((200, 28), Image.Resampling.BOX))
"""What is read: a third of the size."""
EXPECTED = LINE[:, LEFT // 3 - 3 : RIGHT // 3 + 3]


def draw(grey: Image.Image, height: int = 28) -> LineImage | None:
    return draw_line(find_line_ink(grey, height), grey.size, height)


def read(grey: Image.Image, height: int = 28) -> np.ndarray:
    found = draw(grey, height)
    assert found is not None
    return found.pixels


def padded(left: int, top: int, right: int, bottom: int) -> Image.Image:
    return picture(np.pad(draw_bars(), ((top, bottom), (left, right)), constant_values=255))


def test_a_line_of_the_data_sets_is_only_cut_left_and_right() -> None:
    pixels = np.zeros((28, 300), np.uint8)
    pixels[2:26, 12:132:10] = 255
    pixels[2:26, 13:132:10] = np.arange(14, 254, 10, dtype=np.uint8)[:, None]
    found = read(picture(pixels))
    columns = np.flatnonzero((pixels > 64).any(0))
    expected = pixels[:, columns[0] - 3 : columns[-1] + 4].astype(int)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 6


@pytest.mark.parametrize(
    "space",
    [(0, 0, 0, 0), (300, 0, 0, 0), (0, 0, 300, 0), (0, 42, 0, 42), (0, 84, 0, 0), (0, 0, 0, 168), (90, 60, 9, 90)],
)
def test_blank_paper_around_a_line_is_cut(space: tuple[int, int, int, int]) -> None:
    found = read(padded(*space))
    assert abs(found.shape[1] - EXPECTED.shape[1]) <= 2
    rows, columns = np.flatnonzero((found > 127).any(1)), np.flatnonzero((found > 127).any(0))
    assert (rows[0], rows[-1]) == (2, 25)
    assert abs(columns[0] - 3) <= 1
    assert abs(found.shape[1] - 4 - columns[-1]) <= 1


def test_a_line_that_is_cut_close_gets_the_rows_that_models_know() -> None:
    found = read(picture(draw_bars()[TOP:BOTTOM, LEFT:RIGHT]))
    rows = np.flatnonzero((found > 127).any(1))
    assert (len(found), rows[0], rows[-1]) == (28, 2, 25)


@pytest.mark.parametrize(("top", "bottom", "kept"), [(0, 0, True), (10, 30, True), (100, 100, False)])
def test_a_line_of_ones_own_keeps_its_rows_unless_most_of_them_are_blank(top: int, bottom: int, kept: bool) -> None:
    found = read(padded(0, top, 0, bottom), 48)
    rows = np.flatnonzero((found > 127).any(1))
    # Bars have no ascenders: they are as high as small letters.
    filled = (BOTTOM - TOP) / (84 + top + bottom) if kept else 1 / 2.2
    assert len(found) == 48
    assert (rows[-1] - rows[0] + 1) / 48 == pytest.approx(filled, abs=0.05)


def test_small_letters_keep_their_size_in_a_line_of_ones_own() -> None:
    small = draw_bars()[20:50]  # in a picture with room above and below
    small[30:] = 255
    found = read(picture(np.pad(small, ((60, 60), (0, 0)), constant_values=255)), 48)
    rows = np.flatnonzero((found > 127).any(1))
    assert rows[-1] - rows[0] + 1 < 36


def test_the_box_is_where_the_line_is_in_the_picture() -> None:
    found = draw(padded(300, 84, 30, 84))
    assert found is not None
    left, top, right, bottom = found.box
    assert (left, top) == pytest.approx((300 + LEFT - 9, 84), abs=3)
    assert (right, bottom) == pytest.approx((300 + RIGHT + 9, 168), abs=3)


def test_a_blank_picture_has_no_line() -> None:
    assert draw(Image.new("L", (100, 28), 200)) is None


def test_trimmed_columns_leave_a_margin() -> None:
    line = np.zeros((28, 400), np.uint8)
    line[5:20, 50:100] = 255
    assert np.array_equal(trim_columns(line), line[:, 47:103])
    assert trim_columns(line[:, 200:]).shape == (28, 28)
    assert BARS_INK.any()
