import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from pipeline.data.pictures.edges import RIM, find_edges
from tests.data.pictures.drawn import HEIGHT, WIDTH, draw_bars

Values = np.ndarray


def with_edge(thickness: int, level: int, sides: str, paper: int = 255, ink: int = 0) -> tuple[Values, Values]:
    """Bars with edges beside them, and where those are."""
    bars = np.pad(draw_bars(paper, ink), 6, constant_values=paper)
    widths = {side: thickness if side in sides else 0 for side in "tblr"}
    padding = ((widths["t"], widths["b"]), (widths["l"], widths["r"]))
    outside = np.pad(np.zeros(bars.shape, bool), padding, constant_values=True)
    return np.pad(bars, padding, constant_values=level).astype(np.float32), outside


def grown(mask: Values) -> Values:
    """The mask and what is beside it."""
    return np.asarray(ndimage.binary_dilation(mask, np.ones((3, 3)), iterations=RIM))


@pytest.mark.parametrize("sides", ["tblr", "t", "b", "tb"])
@pytest.mark.parametrize(
    ("paper", "ink", "level", "thickness"),
    [
        *[(255, 0, 0, 3), (255, 0, 0, 30), (255, 0, 100, 12), (180, 40, 90, 3), (180, 40, 90, 30)],
        *[(20, 240, 255, 3), (20, 240, 255, 12), (60, 200, 150, 5)],
    ],
)
def test_edges_are_found(sides: str, thickness: int, paper: int, ink: int, level: int) -> None:
    values, outside = with_edge(thickness, level, sides, paper, ink)
    found = find_edges(values)
    assert found is not None
    assert found[outside].all()
    assert not found[~grown(outside)].any()


@pytest.mark.parametrize("angle", [-4, -1, 2])
@pytest.mark.parametrize("level", [0, 100])
def test_corners_of_a_turned_picture_are_found(angle: int, level: int) -> None:
    turned = np.asarray(Image.fromarray(draw_bars()).rotate(angle, Image.Resampling.NEAREST, True, fillcolor=level))
    drawn = Image.new("L", (WIDTH, HEIGHT), 0).rotate(angle, Image.Resampling.NEAREST, True, fillcolor=255)
    outside = np.asarray(drawn) > 0
    found = find_edges(turned.astype(np.float32))
    assert found is not None
    assert np.mean(found[outside]) > 0.99
    assert np.mean(found[~outside]) < 0.07  # the pixels beside them


YS, XS = np.mgrid[0:HEIGHT, 0:WIDTH]


@pytest.mark.parametrize(
    "light",
    [
        np.ones((HEIGHT, WIDTH)),
        1 - 0.6 * XS / WIDTH,
        1 - 0.6 * YS / HEIGHT,
        np.where(XS < 300, 1, 0.4),
        np.where(YS < 60, 1, 0.4),
        np.where(YS > 20, 1, 0.4),
    ],
    ids=["even", "across", "down", "sharp across", "sharp below", "sharp above"],
)
@pytest.mark.parametrize("cut", [np.s_[:], np.s_[6:78, 30:], np.s_[6:78, 30:39], np.s_[30:39]])
@pytest.mark.parametrize(("paper", "ink"), [(240, 20), (90, 200)])
def test_shadows_and_letters_at_the_border_are_no_edges(
    light: Values, cut: tuple[slice, ...], paper: int, ink: int
) -> None:
    values = draw_bars(paper, ink) * light
    assert find_edges(np.float32(values[cut])) is None
