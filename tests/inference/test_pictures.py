from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.common.errors import InputError
from pipeline.inference import paragraphs
from pipeline.inference.paragraphs import join_boxes
from pipeline.inference.pictures import read_lines
from tests.data.pictures.drawn import draw_bars, picture
from tests.data.pictures.test_opening import encode

LINE = draw_bars()
PNG = encode(picture(LINE))
PARAGRAPH = np.pad(np.tile(LINE, (3, 1)), 20, constant_values=255)


def test_a_picture_is_one_line() -> None:
    (line,) = read_lines(PNG, "x", 28)
    assert line.pixels.shape == (28, 182)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"text", "not a picture in a known format"),
        (b"", "not a picture in a known format"),
        (PNG[:60], "cannot be read as a picture|not a picture in a known format"),
        (encode(Image.new("L", (100, 28), 200)), "is blank"),
        (encode(picture(np.tile(LINE, (1, 40))[::10])), "pixels are not a line"),
        (encode(picture(PARAGRAPH)), "looks like 3 lines"),
    ],
)
def test_bad_pictures_are_refused_in_one_line(content: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=f"^own.png: .*({reason})") as error:
        list(read_lines(content, "own.png", 28))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


def test_a_missing_file_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^none\.png: no such file$"):
        next(read_lines(tmp_path / "none.png", "none.png", 28))


def test_all_pages_of_a_tiff_are_read() -> None:
    content = encode(picture(LINE), "TIFF", save_all=True, append_images=[picture(LINE[:, :300])])
    first, second = read_lines(content, "x", 28)
    assert first.pixels.shape[1] > second.pixels.shape[1] > 60


def test_several_lines_need_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError

    monkeypatch.setattr(paragraphs, "_load_detector", missing)
    with pytest.raises(InputError, match=r"^x: looks like 3 lines; .*emnist-lines\[handwriting\]"):
        list(read_lines(encode(picture(PARAGRAPH)), "x", 28))


def test_several_lines_are_read_where_the_detector_finds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = [(20, 20 + 84 * n, 620, 20 + 84 * (n + 1)) for n in (2, 0, 1)]
    monkeypatch.setattr(paragraphs, "detect_boxes", lambda *_: boxes)
    lines = list(read_lines(encode(picture(PARAGRAPH)), "x", 28))
    assert [round(line.box[1] / 84) for line in lines] == [0, 1, 2]
    for line in lines:
        assert line.pixels.shape == next(read_lines(PNG, "x", 28)).pixels.shape


def test_parts_of_a_line_beside_each_other_are_joined() -> None:
    parts = [(200, 12, 300, 42), (0, 10, 180, 40), (0, 60, 90, 92), (900, 10, 990, 40)]
    assert join_boxes(parts) == [(0, 10, 300, 42), (900, 10, 990, 40), (0, 60, 90, 92)]
