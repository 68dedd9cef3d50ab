import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.common.errors import InputError
from pipeline.common.vocabulary import EMNIST
from pipeline.data.transcriptions.draw import draw_ink
from pipeline.data.transcriptions.pages import read_pages
from pipeline.inference.document_formats import format_json, format_text
from pipeline.inference.documents import ReadDocument, open_document, read_document
from pipeline.inference.line_predictions import LinePrediction, LinePredictor
from pipeline.inference.pictures import read_lines
from pipeline.models.recognizer import Recognizer
from pipeline.objectives.registry import build_objective
from pipeline.settings.own_lines import OwnLinesSettings, SplitParts
from tests.data.transcriptions.drawn import alto, draw_page, page_xml
from tests.inference.test_line_predictions import Fixed
from tests.tiny import FP32

LINES = [("first", [(20, 50), (300, 50)]), ("", [(20, 120), (300, 130)])]
PARTS = SplitParts(by="split", validation=0.2, test=0.2, seed=1)


def write_page(folder: Path, xml: str = "") -> Path:
    draw_page(folder / "page.png", [baseline for _, baseline in LINES])
    path = folder / "page.xml"
    path.write_text(xml or alto("page.png", LINES), encoding="utf-8")
    return path


def read(path: Path) -> ReadDocument:
    """Read with a model of a step every 4 pixels that finds two words in every line: at steps 0 and 1, and at 9."""
    recognizer = Recognizer(Fixed([]), build_objective("ctc", EMNIST, 9, wrap=False))
    prediction = LinePrediction("ab c", [0.5, 0.5, 0.9, 0.7], [0, 1, 5, 9])
    return read_document(path, LinePredictor(recognizer, lambda images, _: [prediction] * len(images), FP32))


@pytest.mark.parametrize("form", [alto, page_xml])
def test_lines_are_cut_as_the_import_cuts_them(tmp_path: Path, form: object) -> None:
    path = write_page(tmp_path, form("page.png", LINES))
    document = open_document(path, 48)
    imported = read_pages(OwnLinesSettings(format="pages", path=".", parts=PARTS), tmp_path)
    for line, expected in zip(document.lines, imported, strict=True):
        np.testing.assert_array_equal(line.draw(48), draw_ink(expected.draw(48)))
    assert document.image == tmp_path / "page.png"


def test_words_are_where_their_characters_are(tmp_path: Path) -> None:
    (first, second) = read(write_page(tmp_path)).texts
    assert first
    assert second
    # Lines are 30 pixels high on the page and 28 for the model: 280 pixels become 261, and a step 4 * 280 / 261.
    assert [(word.text, word.confidence) for word in first.words] == [("ab", 0.25), ("c", 0.7)]
    step = 4 * 280 / 261
    assert first.words[0].box == (20, 30, 20 + int(2 * step) + 1, 60)
    assert first.words[1].box == (20 + int(9 * step), 30, 20 + int(10 * step) + 1, 60)
    assert second.words[1].box[1] >= 100  # the line goes down from 120 to 130
    assert first.confidence == pytest.approx(0.65)


def test_words_are_in_the_pixels_of_the_xml_where_the_image_is_smaller(tmp_path: Path) -> None:
    path = write_page(tmp_path)
    whole = read(path).texts
    with Image.open(tmp_path / "page.png") as page:
        page.resize((200, 150), Image.Resampling.BOX).save(tmp_path / "page.png")
    assert read(path).texts == whole


def test_lines_that_cannot_be_read_have_no_text(tmp_path: Path) -> None:
    path = write_page(tmp_path, alto("page.png", LINES).replace("<TextLine", '<TextLine ID="x"/><TextLine', 1))
    document = read(path)
    assert format_text(document) == ["", "ab c", "ab c"]
    assert [text is None for text in document.texts] == [True, False, False]


def test_a_line_too_wide_for_its_height_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.inference.documents.MAX_WIDTH", 200)
    assert read(write_page(tmp_path)).texts == [None, None]


def test_json_says_where_lines_and_words_are(tmp_path: Path) -> None:
    path = write_page(tmp_path, alto("page.png", LINES[:1]).replace("<TextLine", '<TextLine ID="x"/><TextLine', 1))
    content = json.loads(format_json(read(path)))
    nowhere, line = content.pop("lines")
    assert content == {"page": str(path), "image": str(tmp_path / "page.png")}
    nothing = dict.fromkeys(("text", "confidence", "box", "polygon", "baseline"))
    assert nowhere == {"id": "x", **nothing, "words": []}
    assert {name: line[name] for name in ("id", "text", "confidence", "box", "baseline")} == {
        "id": "l0",
        "text": "ab c",
        "confidence": 0.65,
        "box": [20, 30, 300, 60],
        "baseline": [[20, 50], [300, 50]],
    }
    assert line["polygon"] == [[20, 30], [300, 30], [300, 60], [20, 60]]
    assert [(word["text"], word["confidence"], word["box"][0]) for word in line["words"]] == [
        ("ab", 0.25, 20),
        ("c", 0.7, 58),
    ]


def test_a_picture_is_a_line(tmp_path: Path) -> None:
    picture = np.full((56, 200), 230, np.uint8)
    picture[10:30, 20:180] = 20
    Image.fromarray(picture).save(tmp_path / "line.png")
    document = read(tmp_path / "line.png")
    (line,), (text,) = document.document.lines, document.texts
    (expected,) = read_lines(tmp_path / "line.png", "x", 28)
    np.testing.assert_array_equal(line.draw(28), expected.pixels)
    (described,) = json.loads(format_json(document))["lines"]
    assert described["id"] == "line"
    left, top, right, bottom = described["box"]
    assert 0 <= left <= 20 < 180 <= right <= 200  # the ink and more or less background around it
    assert 0 <= top <= 10 < 30 <= bottom <= 56
    assert text
    assert text.words[0].box[:2] == (left, top)
    assert text.words[1].box[3] == bottom


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    write_page(tmp_path)
    (tmp_path / "page.png").unlink()
    for name, reason in (
        ("none.png", "no such file"),
        ("none.xml", "no such file"),
        (".", "is a folder; name the files in it"),
        ("page.xml", "has no image; expected page.png beside it"),
    ):
        with pytest.raises(InputError) as error:
            open_document(tmp_path / name, 28)
        assert str(error.value) == f"{tmp_path / name}: {reason}"
