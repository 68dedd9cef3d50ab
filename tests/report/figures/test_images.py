import base64
import io

import numpy as np
from PIL import Image

from pipeline.report.figures.images import LEVELS, Picture, data_uri, encode_ink
from tests.tiny import tiny_lines


def pixels(picture: Picture) -> np.ndarray:
    kind, content = picture.uri.split(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        return np.asarray(image.convert("L"))


def test_ink_is_dark_on_white_and_nearly_as_strong() -> None:
    image = np.arange(0, 256, dtype=np.uint8).reshape(4, 64)
    shown = pixels(encode_ink(image, "a ramp"))
    assert shown.shape == image.shape
    assert (shown[0, 0], shown[-1, -1]) == (255, 0)
    assert np.abs(shown.astype(int) - (255 - image)).max() <= 255 / (LEVELS - 1) / 2 + 1
    assert len(np.unique(shown)) == LEVELS


def test_a_picture_has_its_size_and_description() -> None:
    picture = encode_ink(np.zeros((28, 3), np.uint8), 'a "b" & <c>')
    assert (picture.width, picture.height, picture.alt) == (3, 28, 'a "b" & <c>')


def test_the_picture_of_a_line_is_small() -> None:
    lines = tiny_lines(["abcdefgh"])
    assert len(encode_ink(lines.images[0], "").uri) < 2000


def test_the_same_image_gives_the_same_bytes() -> None:
    image = np.random.default_rng(0).integers(0, 256, (28, 90), dtype=np.uint8)
    assert encode_ink(image, "") == encode_ink(image.copy(), "")
    assert encode_ink(image, "").uri != encode_ink(image[:, ::-1].copy(), "").uri


def test_a_data_uri_contains_its_content() -> None:
    assert data_uri("text/plain", b"a<b") == "data:text/plain;base64,YTxi"
