"""Texts written in characters, and pictures to try."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipeline.app import writing
from pipeline.app.writing import TEXTS, examples, write_line
from pipeline.common.errors import InputError
from pipeline.data.storage.characters import Characters, write_characters
from tests.projects import write_lines
from tests.tiny import tiny_characters, tiny_lines

SOURCE = {"data": "noise", "source": "test", "sha256": ""}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    writing.examples.cache_clear()
    writing._renderer.cache_clear()
    yield tmp_path
    writing.examples.cache_clear()
    writing._renderer.cache_clear()


def ink(png: bytes) -> NDArray[np.uint8]:
    return 255 - np.asarray(Image.open(io.BytesIO(png)))


def test_a_text_is_written_in_the_test_characters_of_the_workspace() -> None:
    characters = tiny_characters()
    nothing = Characters(np.zeros_like(characters.images), characters.labels)
    parts = {"train": nothing, "validation": nothing, "test": characters}
    write_characters(writing.CHARACTERS, parts, SOURCE)
    np.testing.assert_array_equal(ink(write_line("7", 0)), characters.images[7])


def test_without_characters_built_in_ones_are_written() -> None:
    image = ink(write_line("  a  b ", 0))
    assert image.shape[0] == 28
    assert 2 * 28 < image.shape[1] <= 3 * 28  # single spaces, and none around the text
    assert image[:, :28].max() > 200
    assert image[:, 28:44].max() == 0


def test_the_same_seed_writes_the_same_and_another_one_something_else() -> None:
    assert write_line("abc", 1) == write_line("abc", 1) != write_line("abc", 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 characters; write 1 to 64"),
        ("a" * 65, "65 characters; write 1 to 64"),
        ("café", "'é' cannot be written; use A to Z, a to z, digits and spaces"),
    ],
)
def test_what_cannot_be_written_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_line(text, 0)


def test_the_examples_are_the_first_test_lines_of_each_data_set() -> None:
    for name, texts in (("a", ["one", "two", "three", "four"]), ("b", ["five", "six", "seven", "eight"])):
        write_lines(Path(f"data/lines/{name}.h5"), tiny_lines(texts))
    assert [example.text for example in examples()] == ["one", "two", "three", "five", "six", "seven"]
    lines = tiny_lines(["one", "two", "three", "four"])
    np.testing.assert_array_equal(ink(examples()[0].png), lines.images[0, :, : lines.widths[0]])


def test_without_lines_examples_are_written() -> None:
    Path("data/lines").mkdir(parents=True)
    Path("data/lines/damaged.h5").write_bytes(b"nothing")
    assert [example.text for example in examples()] == list(TEXTS)
