import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.common.errors import InputError
from pipeline.inference.pictures import parse_model_input, read_picture


def line(height: int = 28, width: int = 100) -> np.ndarray:
    """Ink on a third of the image, of full and of half strength."""
    pixels = np.zeros((height, width), np.uint8)
    pixels[height // 4 : height // 2, : width // 2] = 255
    pixels[height // 2 : height * 3 // 4, : width // 4] = 128
    return pixels


def png(pixels: np.ndarray, mode: str | None = None) -> bytes:
    file = io.BytesIO()
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_dark_and_light_ink_give_the_same_line(mode: str) -> None:
    np.testing.assert_array_equal(read_picture(png(line(), mode), "x"), line())
    dark_on_light = read_picture(png(255 - line(), mode), "x")
    np.testing.assert_array_equal(dark_on_light, line())


def test_a_line_of_the_data_sets_is_not_changed(tmp_path: Path) -> None:
    pixels = np.zeros((28, 60), np.uint8)
    pixels[5:20, 3:20] = np.arange(1, 256, dtype=np.uint8).reshape(15, 17)
    Image.fromarray(pixels).save(tmp_path / "line.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "line.png", "x"), pixels)


@pytest.mark.parametrize("factor", [2, 3])
def test_any_height_is_scaled(factor: int) -> None:
    large = line().repeat(factor, axis=0).repeat(factor, axis=1)
    np.testing.assert_array_equal(read_picture(png(large), "x"), line())
    assert read_picture(png(line(14, 50)), "x").shape == (28, 100)


def test_grey_ink_on_a_grey_background_gets_full_contrast() -> None:
    pixels = np.where(line() > 200, 90, 170).astype(np.uint8)
    assert set(np.unique(read_picture(png(pixels), "x"))) == {0, 255}


def test_transparent_is_white() -> None:
    pixels = np.zeros((28, 100, 4), np.uint8)
    pixels[..., 3] = line()
    np.testing.assert_array_equal(read_picture(png(pixels), "x"), line())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"text", "not a picture in a known format"),
        (b"", "not a picture in a known format"),
        (png(line())[:60], "cannot be read as a picture|not a picture in a known format"),
        (png(np.full((28, 100), 200, np.uint8)), "is blank"),
        (png(line(280, 20)), "280 pixels are not a line"),
        (png(line(4, 4000)), "are not a line"),
    ],
)
def test_bad_pictures_are_refused_in_one_line(content: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=f"^own.png: .*({reason})") as error:
        read_picture(content, "own.png")
    assert "\n" not in str(error.value)


def test_a_missing_file_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^none\.png: no such file$"):
        read_picture(tmp_path / "none.png", "none.png")


def test_strings_and_integers_are_accepted() -> None:
    encoded = base64.b64encode(png(line())).decode()
    for given in ([encoded], np.array([encoded], dtype=object), line()[None].astype(np.int64), line().tolist()):
        (taken,) = parse_model_input(given)
        assert taken.dtype == np.uint8
        np.testing.assert_array_equal(taken, line())


@pytest.mark.parametrize("given", [["no base64!"], [""], np.full((1, 28, 5), -1), np.zeros((28, 5)), [1.5]])
def test_other_input_is_refused(given: object) -> None:
    with pytest.raises(InputError):
        parse_model_input(given)


def test_base64_that_is_too_long_for_a_file_name_is_a_picture() -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (28, 10), np.uint8)
    encoded = base64.b64encode(png(pixels)).decode().replace("/", "+")
    assert 255 < len(encoded) < 1024
    with pytest.raises(InputError, match=r"^picture 0: (not|cannot be read as) a picture"):
        parse_model_input([encoded])
