from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.common import paths
from pipeline.common.vocabulary import Vocabulary, collect_vocabulary
from pipeline.data.storage.line_store import LineWriter
from pipeline.data.storage.lines import NO_IMAGE, Lines
from pipeline.decoding.language_model.store import read_language_model
from tests.decoding.enumeration import WittenBell
from tests.projects import Project

TEXTS = {"train": ["été à", "la mer"], "validation": ["zzz"], "test": ["mer été"]}
VOCABULARY = collect_vocabulary(TEXTS["train"])


def write_own_lines(path: Path, texts: dict[str, list[str]], vocabulary: Vocabulary) -> None:
    """Transcribed lines without ink, each a page of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    longest = max(len(text) for part in texts.values() for text in part)
    others = vocabulary.missing(text for part in texts.values() for text in part)
    with h5py.File(path, "w") as file:
        writer = LineWriter(file, {}, vocabulary, others)
        for part, lines in texts.items():
            shape = len(lines), longest
            block = Lines(
                np.zeros((len(lines), 16, 40), np.uint8),
                lines,
                np.full(len(lines), 40, np.uint16),
                np.zeros(shape, np.uint16),
                np.full(shape, NO_IMAGE, np.int32),
            )
            writer.write(part, [block], len(lines), longest, wrap=False, shape=(16, 40))


@pytest.fixture
def own(project: Project) -> Project:
    write_own_lines(paths.lines("letters"), TEXTS, VOCABULARY)
    project.change(
        own_language_models={
            "letters": {"lines": "letters", "text": "data/none", "order": 3, "smoothing": "witten_bell"}
        }
    )
    return project


def score(text: str) -> float:
    return read_language_model(paths.language_model("letters"), VOCABULARY).score(text)


def expected(text: str, line: str) -> float:
    return WittenBell(text, 3, len(VOCABULARY.characters)).score(line)


def test_the_model_counts_the_training_lines_as_one_text(own: Project) -> None:
    printed = own.run("own_language_model", "letters")
    assert printed.startswith("own_language_model: letters: order 3, witten_bell, of 12 characters of training lines: ")
    for line in ("été", "à la", "ré"):
        assert score(line) == pytest.approx(expected("été à la mer", line), abs=1e-9)


def test_validation_and_test_lines_change_nothing(own: Project) -> None:
    contents = []
    for others in (["zzz"], ["mer mer", "été"]):
        write_own_lines(paths.lines("letters"), {**TEXTS, "validation": others, "test": others}, VOCABULARY)
        own.run("own_language_model", "letters")
        contents.append(paths.language_model("letters").read_bytes())
    assert contents[0] == contents[1]


def test_a_text_of_the_users_own_is_counted_too(own: Project) -> None:
    Path("novel.txt").write_text("\ufeffLa ter\nre  ame\u0301re", encoding="utf-8")
    own.change(own_language_models={"letters": {"text": "novel.txt"}})
    printed = own.run("own_language_model", "letters").splitlines()
    assert printed[0] == (
        "own_language_model: letters: left out 1 words of novel.txt with characters that the training lines lack: L"
    )
    assert "of 12 characters of training lines and 12 of novel.txt: " in printed[1]
    assert score("terre") == pytest.approx(expected("été à la mer ter re amére", "terre"), abs=1e-9)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"XYZ 123", "has no word in the characters of the training lines"), (b"\xff\xfe\xfa", "not UTF-8 (")],
)
def test_a_text_that_is_of_no_use_is_refused(own: Project, content: bytes, message: str) -> None:
    Path("novel.txt").write_bytes(content)
    own.change(own_language_models={"letters": {"text": "novel.txt"}})
    line = own.refusal("own_language_model", "letters")
    assert line.startswith(f"own_language_models.letters.text: novel.txt: {message}")
    assert not paths.language_model("letters").exists()


def test_an_order_that_is_too_long_for_the_characters_is_refused(own: Project) -> None:
    many = "".join(chr(0x4E00 + number) for number in range(3000))
    texts = {part: [many[:2000], many[2000:]] for part in TEXTS}
    write_own_lines(paths.lines("letters"), texts, collect_vocabulary([many]))
    own.change(own_language_models={"letters": {"order": 9}})
    line = own.refusal("own_language_model", "letters")
    # A context is one number below 2 ** 63: with 3,001 characters that is five of them, for n-grams of six.
    assert line == "own_language_models.letters.order: must be at most 6 for the 3,001 characters of letters, got 9"
