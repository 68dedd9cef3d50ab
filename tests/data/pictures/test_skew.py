import numpy as np
import pytest
from PIL import Image

from pipeline.data.pictures.skew import find_angle, straighten
from tests.data.pictures.drawn import BARS_INK, BOTTOM, TOP

INK = np.float32(200) * BARS_INK


def turned(angle: float) -> np.ndarray:
    """The bars, turned clockwise by degrees."""
    return np.asarray(Image.fromarray(INK).rotate(-angle, Image.Resampling.BILINEAR, expand=True))


@pytest.mark.parametrize("angle", [-4.5, -2, -1, 1, 2, 4.5])
def test_the_angle_is_found(angle: float) -> None:
    assert find_angle(turned(angle)) == pytest.approx(angle, abs=0.2)


@pytest.mark.parametrize("angle", [-4.0, 2.0])
def test_a_turned_line_is_straightened(angle: float) -> None:
    rows = np.flatnonzero((straighten(turned(angle)) > 100).any(1))
    assert abs(np.ptp(rows) + 1 - (BOTTOM - TOP)) <= 4


def test_a_straight_line_is_not_changed() -> None:
    assert straighten(INK) is INK


@pytest.mark.parametrize("ink", [np.tri(40, 40, dtype=np.float32) * 200, np.zeros((5, 90), np.float32)])
def test_a_short_or_blank_line_keeps_its_angle(ink: np.ndarray) -> None:
    assert straighten(ink) is ink
