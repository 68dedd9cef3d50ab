from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.common.errors import InputError
from pipeline.data.transcriptions.pictures import open_grey, separate_ink, to_grey

GRADIENT = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize(
    "values",
    [GRADIENT, GRADIENT.astype(np.uint16) * 257, GRADIENT.astype(np.int32) * 257, (GRADIENT / 255).astype(np.float32)],
)
def test_every_range_of_values_gives_the_same_grey(values: np.ndarray) -> None:
    assert np.array_equal(np.asarray(to_grey(Image.fromarray(values))), GRADIENT)


def test_transparent_is_white() -> None:
    picture = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    picture.putpixel((1, 0), (0, 0, 0, 255))
    assert np.asarray(to_grey(picture)).tolist() == [[255, 0]]


def line(paper: int, ink: int) -> Image.Image:
    values = np.full((20, 100), paper, dtype=np.uint8)
    values[8:12, 10:90] = ink
    return Image.fromarray(values)


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (0, 255), (200, 90), (60, 180)])
def test_ink_is_what_differs_from_the_paper(paper: int, ink: int) -> None:
    found = separate_ink(line(paper, ink))
    assert found is not None
    assert found.dtype == np.uint8
    assert np.unique(found).tolist() == [0, 255]
    assert np.argwhere(found).min(0).tolist() == [8, 10]
    assert np.argwhere(found).max(0).tolist() == [11, 89]


def test_a_spot_of_glare_does_not_turn_ink_and_paper() -> None:
    picture = line(180, 60)
    picture.paste(255, (0, 0, 4, 4))
    found = separate_ink(picture)
    assert found is not None
    assert found[10, 50] == 255
    assert found[0, 0] == 0


@pytest.mark.parametrize("ink", [200, 190, 215])
def test_a_blank_picture(ink: int) -> None:
    assert separate_ink(line(200, ink)) is None


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("text")
    for path, reason in ((tmp_path / "none.png", "no such file"), (tmp_path / "text.png", "not a picture")):
        with pytest.raises(InputError, match=f"^name: {reason}"):
            open_grey(path, "name")
