import numpy as np
import pytest
from PIL import Image

from pipeline.data.pictures.count import count_lines
from pipeline.data.pictures.line import find_line_ink
from tests.data.pictures.drawn import draw_bars, picture


def count(page: Image.Image) -> int:
    return count_lines(find_line_ink(page, 28))


@pytest.mark.parametrize("expected", [1, 2, 3, 12])
@pytest.mark.parametrize("scale", [1, 3])
def test_lines_are_counted(expected: int, scale: int) -> None:
    page = picture(np.pad(np.tile(draw_bars(), (expected, 1)), 40, constant_values=255))
    assert count(page.resize((page.width * scale, page.height * scale))) == expected


def test_lines_with_light_ink() -> None:
    assert count(picture(np.tile(draw_bars(60, 200), (4, 1)))) == 4


def test_dots_above_letters_are_no_line() -> None:
    values = draw_bars()
    values[24:30, :] = 255
    values[6:14, 30:560:60] = 255
    assert count(picture(values)) == 1


@pytest.mark.parametrize("marks", [(":", 2), ("=", 2)])
def test_one_character_of_two_parts_is_one_line(marks: tuple[str, int]) -> None:
    values = np.full((84, 60), 255, np.uint8)
    wide = slice(10, 50) if marks[0] == "=" else slice(24, 36)
    values[20:32, wide] = values[56:68, wide] = 0
    assert count(picture(values)) == 1


def test_a_blank_picture_is_one_line() -> None:
    assert count(Image.new("L", (100, 100), 200)) == 1
