import base64
import io
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.common.errors import InputError
from pipeline.inference.model_input import parse_model_input
from pipeline.inference.pictures import read_lines
from tests.data.pictures.drawn import draw_bars, picture
from tests.data.pictures.test_opening import encode

GREY = draw_bars()
PNG = encode(picture(GREY))
EXPECTED = next(read_lines(PNG, "x", 28)).pixels
LINE = np.zeros((28, 100), np.uint8)
LINE[3:25, 10:80:5] = 255
TRIMMED = LINE[:, 7:79]
BASE64 = base64.b64encode(PNG).decode()
COLOURS = np.repeat(GREY[..., None], 3, axis=2)


def lines(given: object) -> list[np.ndarray]:
    parsed = []
    for picture_lines in parse_model_input(given):
        assert not isinstance(picture_lines, InputError), picture_lines
        parsed += picture_lines
    return parsed


@pytest.mark.parametrize(
    "given",
    [
        PNG,
        bytearray(PNG),
        [PNG],
        BASE64,
        textwrap.fill(BASE64, 76) + "\n",
        f"data:image/png;base64,{BASE64}",
        base64.urlsafe_b64encode(PNG).decode().rstrip("="),
        np.array([BASE64], dtype=object),
        np.array(BASE64),
        Image.open(io.BytesIO(PNG)),
        [Image.open(io.BytesIO(PNG))],
        GREY,
        GREY / 255,
        torch.from_numpy(GREY),
        torch.from_numpy(GREY)[None] / 255,
        COLOURS,
        COLOURS[None],
        [COLOURS],
        torch.from_numpy(COLOURS).permute(2, 0, 1)[None],
        [torch.from_numpy(COLOURS).permute(2, 0, 1)],
        {"picture": PNG},
        [{"picture": PNG}],
    ],
    ids=range(22),
)
def test_every_form_is_the_same_picture(given: object) -> None:
    (found,) = lines(given)
    assert found.shape == EXPECTED.shape
    assert np.abs(found.astype(int) - EXPECTED).max() <= 2


@pytest.mark.parametrize(
    "given",
    [LINE, LINE[None], LINE.tolist(), [LINE], torch.from_numpy(LINE), LINE[None].astype(np.int64), LINE[..., None]],
    ids=range(7),
)
def test_a_line_image_is_taken_as_it_is_and_its_blank_columns_are_cut(given: object) -> None:
    (found,) = lines(given)
    assert found.dtype == np.uint8
    assert np.array_equal(found, TRIMMED)


def test_paths(tmp_path: Path) -> None:
    (tmp_path / "line.png").write_bytes(PNG)
    for given in (tmp_path / "line.png", [str(tmp_path / "line.png")]):
        assert np.array_equal(lines(given)[0], EXPECTED)


def test_pictures_of_several_sizes_and_kinds() -> None:
    found = lines([PNG, LINE, torch.from_numpy(LINE[:, :50]), Image.open(io.BytesIO(PNG)), BASE64])
    assert [image.shape[1] for image in found] == [EXPECTED.shape[1], 72, 42, EXPECTED.shape[1], EXPECTED.shape[1]]


def test_lines_that_are_padded_to_one_width_are_cut() -> None:
    batch = np.pad(np.stack([LINE, LINE]), ((0, 0), (0, 0), (0, 400)))
    batch[1, :, 40:] = 0
    assert [image.shape[1] for image in lines(batch)] == [72, 32]
    assert [image.shape[1] for image in lines(torch.from_numpy(batch))] == [72, 32]


def test_a_blank_line_image_is_a_short_blank_line() -> None:
    (found,) = lines(np.zeros((1, 28, 256), np.uint8))
    assert not found.any()


def test_a_bad_picture_does_not_stop_the_others() -> None:
    good, bad, last = parse_model_input([PNG, PNG[:50], LINE])
    assert isinstance(bad, InputError)
    assert str(bad).startswith("picture 1: ")
    assert not isinstance(good, InputError)
    assert not isinstance(last, InputError)


@pytest.mark.parametrize(
    "given",
    [["no base64!"], [""], np.full((1, 28, 5), -1), np.zeros((28, 5)), [1.5], [None], ["x" * 20_000], [BASE64[:90]]],
)
def test_other_input_is_named_shortly(given: object) -> None:
    (error,) = parse_model_input(given)
    assert isinstance(error, InputError)
    assert len(str(error)) < 200
    assert "\n" not in str(error)


@pytest.mark.parametrize("given", [None, 5, {"image": PNG}])
def test_what_is_no_picture_at_all_is_refused(given: object) -> None:
    with pytest.raises(InputError):
        parse_model_input(given)
