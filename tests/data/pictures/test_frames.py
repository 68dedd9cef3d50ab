import numpy as np
import pytest

from pipeline.data.pictures.frames import drop_frames
from tests.data.pictures.drawn import BARS_INK, draw_bars

INK = np.float32(200) * BARS_INK


def with_border(thickness: int, gap: int, sides: str = "tblr") -> tuple[np.ndarray, np.ndarray]:
    """The bars with white `gap` and a border on some sides, and the same without the border."""
    plain = np.pad(INK, gap + thickness)
    framed = plain.copy()
    inner = {"t": np.s_[:thickness], "b": np.s_[-thickness:], "l": np.s_[:, :thickness], "r": np.s_[:, -thickness:]}
    for side in sides:
        framed[inner[side]] = 255
    return framed, plain


@pytest.mark.parametrize("sides", ["tblr", "t", "b", "l", "r", "tb", "lr"])
@pytest.mark.parametrize(("thickness", "gap"), [(4, 8), (2, 2), (10, 12)])
def test_frames_and_edges_are_dropped(sides: str, thickness: int, gap: int) -> None:
    framed, plain = with_border(thickness, gap, sides)
    assert np.array_equal(drop_frames(framed), plain)


def test_a_frame_inside_of_the_picture_is_dropped() -> None:
    framed, plain = with_border(4, 8)
    assert np.array_equal(drop_frames(np.pad(framed, 6)), np.pad(plain, 6))


def test_a_rule_through_the_letters_is_dropped_and_they_stay() -> None:
    ruled = INK.copy()
    ruled[70:72] = 200
    assert np.array_equal(drop_frames(ruled) > 100, (INK > 100) & ~_thin(ruled, INK))


def _thin(ruled: np.ndarray, plain: np.ndarray) -> np.ndarray:
    return (ruled > 100) & ~(plain > 100)


@pytest.mark.parametrize("cut", [np.s_[6:78], np.s_[6:78, 30:], np.s_[6:78, 30:39], np.s_[:, 30:60]])
def test_letters_at_the_border_are_kept(cut: tuple[slice, ...]) -> None:
    letters = np.ascontiguousarray(INK[cut])
    assert np.array_equal(drop_frames(letters), letters)


def test_a_lone_ring_or_bar_is_a_character() -> None:
    ring = np.zeros((84, 84), np.float32)
    ring[5:79, 5:79] = 200
    ring[12:72, 12:72] = 0
    assert np.array_equal(drop_frames(ring), ring)
    with_dot = np.pad(ring, ((0, 0), (0, 30)))
    with_dot[60:80, 90:110] = 200  # as much as many a letter
    assert np.array_equal(drop_frames(with_dot), with_dot)
    bar = np.zeros((28, 84), np.float32)
    bar[12:16, 2:82] = 200
    assert np.array_equal(drop_frames(bar), bar)


def test_no_ink_is_no_frame() -> None:
    assert not drop_frames(np.zeros((5, 9), np.float32)).any()
    assert draw_bars().any()
