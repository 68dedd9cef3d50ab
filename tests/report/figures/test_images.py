import base64
import io

import numpy as np
from PIL import Image

from pipeline.report.figures.images import LEVELS, Picture, data_uri, ink_picture
from tests.tiny import tiny_lines


def pixels(picture: Picture) -> np.ndarray:
    kind, content = picture.uri.split(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        return np.asarray(image.convert("L"))


def test_ink_is_dark_on_white_paper_and_nearly_as_strong() -> None:
    image = np.arange(0, 256, dtype=np.uint8).reshape(4, 64)
    shown = pixels(ink_picture(image, "a ramp"))
    assert shown.shape == image.shape
    assert (shown[0, 0], shown[-1, -1]) == (255, 0)
    assert np.abs(shown.astype(int) - (255 - image)).max() <= 255 / (LEVELS - 1) / 2 + 1
    assert len(np.unique(shown)) == LEVELS


def test_a_picture_knows_its_size_and_its_words() -> None:
    picture = ink_picture(np.zeros((28, 3), np.uint8), 'a "b" & <c>')
    assert (picture.width, picture.height, picture.alt) == (3, 28, 'a "b" & <c>')


def test_a_line_weighs_little() -> None:
    lines = tiny_lines(["abcdefgh"])
    assert len(ink_picture(lines.images[0], "").uri) < 2000


def test_the_same_image_gives_the_same_bytes() -> None:
    image = np.random.default_rng(0).integers(0, 256, (28, 90), dtype=np.uint8)
    assert ink_picture(image, "") == ink_picture(image.copy(), "")
    assert ink_picture(image, "").uri != ink_picture(image[:, ::-1].copy(), "").uri


def test_an_address_holds_its_content() -> None:
    assert data_uri("text/plain", b"a<b") == "data:text/plain;base64,YTxi"
