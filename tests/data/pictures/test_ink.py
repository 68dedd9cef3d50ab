import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from pipeline.data.pictures.ink import separate_ink
from tests.data.pictures.drawn import BARS_INK, HEIGHT, WIDTH, draw_bars, picture

YS, XS = np.mgrid[0:HEIGHT, 0:WIDTH]


def agreement(values: np.ndarray) -> float:
    """The fraction of pixels whose ink is right, at half of full ink."""
    found = separate_ink(picture(values))
    assert found is not None
    assert found.dtype == np.uint8
    return float(np.mean((found > 127) == BARS_INK))


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (0, 255), (200, 90), (60, 180)])
def test_ink_is_what_differs_from_the_paper(paper: int, ink: int) -> None:
    found = separate_ink(picture(draw_bars(paper, ink)))
    assert found is not None
    assert np.array_equal(found, 255 * BARS_INK)


@pytest.mark.parametrize(
    "light",
    [
        240 - 150 * XS / WIDTH,
        90 + 150 * XS / WIDTH,
        240 - 150 * YS / HEIGHT,
        240 - 75 * XS / WIDTH - 75 * YS / HEIGHT,
        np.where(XS < 300, 240, 90),
        140 + 80 * np.sin(XS / 100),
    ],
    ids=["falls", "rises", "down", "corner", "sharp", "waves"],
)
def test_shadows_are_no_ink(light: np.ndarray) -> None:
    assert agreement(light * np.where(BARS_INK, 0.2, 1)) > 0.995


def test_light_ink_in_uneven_light() -> None:
    light = 20 + 80 * XS / WIDTH
    assert agreement(np.where(BARS_INK, light + 140, light)) > 0.995


@pytest.mark.parametrize("spot", [np.s_[0:4, 0:4], np.s_[60:84, 540:600], np.s_[:12], np.s_[:, :12], np.s_[-12:]])
@pytest.mark.parametrize(("paper", "ink", "other"), [(180, 60, 255), (90, 200, 0)])
def test_glare_and_edges_do_not_turn_ink_and_paper(spot: tuple[slice, ...], paper: int, ink: int, other: int) -> None:
    values = draw_bars(paper, ink)
    values[spot] = other
    found = separate_ink(picture(values))
    assert found is not None
    outside = np.ones_like(BARS_INK)
    outside[spot] = False
    outside = ndimage.binary_erosion(outside, np.ones((5, 5)), border_value=1)  # pixels beside an edge are partly edge
    assert np.array_equal(found[outside] > 127, BARS_INK[outside])
    assert not found[spot].any()


def test_noise_is_no_ink() -> None:
    noise = np.random.default_rng(0).normal(0, 8, BARS_INK.shape)
    found = separate_ink(picture(draw_bars(220, 40) + noise))
    assert found is not None
    assert np.mean(found[~BARS_INK] > 20) < 0.01
    assert np.mean(found[BARS_INK] > 170) > 0.99


@pytest.mark.parametrize("ink", [200, 190, 215])
def test_a_blank_picture(ink: int) -> None:
    assert separate_ink(picture(draw_bars(200, ink))) is None


@pytest.mark.parametrize("size", [(1, 1), (3, 1), (1, 50), (5, 2)])
def test_tiny_pictures_are_blank_or_ink(size: tuple[int, int]) -> None:
    assert separate_ink(Image.new("L", size, 99)) is None
