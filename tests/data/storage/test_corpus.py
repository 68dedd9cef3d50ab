import json
import string
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.common.errors import InputError
from pipeline.common.vocabulary import EMNIST
from pipeline.data.storage.characters import SPLITS
from pipeline.data.storage.corpus import (
    Corpus,
    Document,
    describe_corpus,
    make_corpus,
    normalize,
    read_corpus,
    split_documents,
    write_corpus,
)

KEPT = set(string.ascii_letters + string.digits + " ")
PARTS = {
    "train": [("ca01", "The jury said"), ("ca02", "it -- did")],
    "validation": [("cb01", "No.")],
    "test": [("cc01", "1961")],
}


def make_documents(count: int) -> list[Document]:
    return [(f"d{i}", f"word{i}") for i in range(count)]


def own_corpus() -> Corpus:
    return make_corpus(PARTS, name="Own text", source="archive", sha256="0" * 64)


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("``I'm over-all fine'' , said he .", "Im overall fine said he"),
        ("a -- b", "a b"),
        (" tabs\tlines\n\nand  spaces ", "tabs lines and spaces"),
        ("no-break\u00a0space\u2028line", "nobreak space line"),
        ("Café naïve Ångström", "Cafe naive Angstrom"),
        ("ﬁne ２ ½", "fine 2 12"),
        ("Straße слово 語 x", "Strae x"),
        ("$1,000.50 & 5%", "100050 5"),
        ("...", ""),
        ("", ""),
    ],
)
def test_normalized_text(text: str, normalized: str) -> None:
    assert normalize(text) == normalized


@given(st.text())
def test_normalized_text_is_in_the_vocabulary_and_stays_as_it_is(text: str) -> None:
    normalized = normalize(text)
    assert set(normalized) <= KEPT <= set(EMNIST.characters)
    assert normalized == " ".join(normalized.split())
    assert normalize(normalized) == normalized
    assert EMNIST.decode(EMNIST.encode(normalized)) == normalized


@given(st.lists(st.text(string.ascii_letters + string.digits, min_size=1)))
def test_plain_words_are_kept(words: list[str]) -> None:
    assert normalize("  ".join(words)).split() == words


@given(
    count=st.integers(3, 60),
    validation=st.floats(0.001, 0.3),
    test=st.floats(0.001, 0.3),
    seed=st.integers(0, 2**32 - 1),
)
def test_split_puts_each_document_into_one_part(count: int, validation: float, test: float, seed: int) -> None:
    documents = make_documents(count)
    parts = split_documents(documents, validation, test, np.random.default_rng(seed))
    assert tuple(parts) == SPLITS
    assert all(parts.values())
    assert sorted(chain.from_iterable(parts.values())) == sorted(documents)
    for part, fraction in (("validation", validation), ("test", test)):
        assert abs(len(parts[part]) - count * fraction) < 1
    assert split_documents(documents, validation, test, np.random.default_rng(seed)) == parts


def test_split_depends_on_the_generator_and_keeps_the_order() -> None:
    first, second = (split_documents(make_documents(100), 0.1, 0.1, np.random.default_rng(s)) for s in (0, 1))
    assert first != second
    assert [len(first[part]) for part in SPLITS] == [80, 10, 10]
    numbers = [int(name[1:]) for name, _ in first["train"]]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(("count", "fraction"), [(0, 0.1), (1, 0.1), (2, 0.1), (4, 0.45)])
def test_too_few_documents_are_refused(count: int, fraction: float) -> None:
    with pytest.raises(InputError, match=f"^corpus: {count} documents cannot be split .* at least 1 for training"):
        split_documents(make_documents(count), fraction, fraction, np.random.default_rng(0))


def test_part_without_a_word_is_refused() -> None:
    with pytest.raises(InputError, match=r"^corpus: no word in the test part of Own text; "):
        make_corpus({**PARTS, "test": [("cc01", "... --")]}, name="Own text", source="archive")


def test_written_corpus_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "data" / "corpus.json"
    write_corpus(path, own_corpus())
    words = {part: read_corpus(path, part) for part in SPLITS}
    assert words == {"train": ["The", "jury", "said", "it", "did"], "validation": ["No"], "test": ["1961"]}
    assert describe_corpus(path) == {
        "name": "Own text",
        "source": "archive",
        "sha256": "0" * 64,
        "documents": {"train": 2, "validation": 1, "test": 1},
    }
    content = path.read_bytes()
    write_corpus(path, own_corpus())
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_hash_of_text_without_an_archive_changes_with_the_text() -> None:
    first = make_corpus(PARTS, name="Own text", source="builtin").sha256
    second = make_corpus({**PARTS, "test": [("cc01", "1962")]}, name="Own text", source="builtin").sha256
    assert len(first) == len(second) == 64
    assert first != second


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "no text to read (No such file or directory)"),
        (b"", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"text": {}', "not valid JSON"),
        (b"[]", "not a corpus"),
        (b'{"text": {"train": "a"}}', "not a corpus"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes | None, fault: str) -> None:
    path = tmp_path / "corpus.json"
    if content is not None:
        path.write_bytes(content)
    for read in (describe_corpus, lambda path: read_corpus(path, "train")):
        with pytest.raises(InputError) as error:
            read(path)
        message = str(error.value)
        assert message.startswith(f"{path}: {fault}")
        assert message.endswith("; run `dvc repro corpus`")
        assert "\n" not in message


@pytest.mark.parametrize("text", [[], {}, {"train": ["a"]}, {"train": None}, None])
def test_corpus_without_text_for_a_part_is_refused(tmp_path: Path, text: object) -> None:
    path = tmp_path / "corpus.json"
    write_corpus(path, own_corpus())
    path.write_text(json.dumps({**json.loads(path.read_text()), "text": text}))
    with pytest.raises(InputError, match="has no text for train; run `dvc repro corpus`"):
        read_corpus(path, "train")
