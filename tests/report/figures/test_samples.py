import numpy as np
import pytest

from pipeline.common.vocabulary import EMNIST_CHARACTERS
from pipeline.data.storage.lines import Lines
from pipeline.report.figures.samples import SHEET, character_sheet, describe_lines
from tests.report.figures.test_images import pixels
from tests.tiny import tiny_characters, tiny_lines

ATTRIBUTES = {"train": 10000}


def test_statistics_of_lines() -> None:
    texts = ["a", "abcdefghijkl", "b", "xyz", "lmnopqrstuvw", "c"]
    found = describe_lines("own", tiny_lines(texts, max_length=16), ATTRIBUTES)
    assert (found.name, found.train, found.test, found.characters, found.longest) == ("own", 10000, 6, 30, 12)
    assert found.overlap == (0, 0)
    assert [picture.alt for picture in found.examples] == [f"handwriting: {texts[i]}" for i in (0, 1, 4)]


def test_the_overlap_is_measured() -> None:
    found = describe_lines("own", tiny_lines(["abcdefgh"] * 50, overlap=0.33), ATTRIBUTES)
    assert found.overlap == (0, pytest.approx(9 / 28))


def test_lines_of_one_character_do_not_overlap() -> None:
    found = describe_lines("own", tiny_lines(["a", "b"], overlap=0.33), ATTRIBUTES)
    assert found.overlap == (0, 0)
    assert len(found.examples) == 2


def test_the_sheet_has_the_first_character_of_each_class() -> None:
    assert "".join(SHEET) == EMNIST_CHARACTERS
    overlapping: Lines = tiny_lines(["09Az", "A", "zA"], overlap=0.33)
    sheet = pixels(character_sheet({"other": overlapping, "own": tiny_lines(["09Az", "A", "zA"])})) < 128
    assert sheet.shape == (3 * 28, 26 * 28)
    expected = np.zeros_like(sheet)
    for row, column, number in ((0, 0, 0), (0, 9, 9), (1, 0, 10), (2, 25, 61)):
        expected[row * 28 :, column * 28 :][:28, :28] = tiny_characters().images[number] > 127
    assert (sheet == expected).all()
