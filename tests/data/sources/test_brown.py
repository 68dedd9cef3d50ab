import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.common.errors import InputError
from pipeline.data.sources import brown
from pipeline.data.sources.brown import brown_documents
from pipeline.data.storage.corpus import make_corpus, normalize
from tests.archives import outcome, write_zip
from tests.corpora import brown_members, write_brown_archive

DOCUMENTS = {"ca01": "The jury said .", "cb02": "`` No ''", "cr09": "either/or 1/2"}
MEMBERS = brown_members(DOCUMENTS)
REAL = Path(__file__).parents[3] / "../shared/data/nltk/brown.zip"


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as error:
        brown_documents(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert message.endswith(brown.ADVICE)
    assert "\n" not in message
    return message


def test_reads_words_without_tags_and_extracts_nothing(tmp_path: Path) -> None:
    path = write_brown_archive(tmp_path / "brown.zip", dict(reversed(DOCUMENTS.items())))
    assert brown_documents(path) == list(DOCUMENTS.items())
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"The/at jury", "'jury' is not a word/tag"),
        (b"The/at /nn", "'/nn' is not a word/tag"),
        (b"The/at jury/", "'jury/' is not a word/tag"),
        (b"x" * 500, f"'{'x' * 40}' is not a word/tag"),
        ("Café/nn".encode(), "is not ASCII text"),
        (b"\xff\xfe/nn", "is not ASCII text"),
    ],
)
def test_faulty_document_is_named(tmp_path: Path, content: bytes, fault: str) -> None:
    path = write_zip(tmp_path / "brown.zip", {**MEMBERS, "brown/cb02": content})
    assert f"brown/cb02: {fault};" in refusal(path)


@pytest.mark.parametrize("members", [{}, {"ca01": b"a/b"}, {"brown/ca1": b"a/b"}, {"gzip/emnist": b""}])
def test_zip_of_something_else_is_refused(tmp_path: Path, members: dict[str, bytes]) -> None:
    assert "has no member such as brown/ca01" in refusal(write_zip(tmp_path / "a.zip", members))


def test_zip_bomb_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_zip(tmp_path / "a.zip", {**MEMBERS, "brown/ca02": b"a/b " * 10_000}, zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(brown, "MAX_BYTES", 1_000)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("a member is read"))
    assert "its documents are 400" in refusal(path)


def test_other_compression_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", MEMBERS, zipfile.ZIP_LZMA)
    assert "brown/ca01: is compressed by method 14; stored or deflated can be read" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"<!doctype html>", b"PK\x05\x06", b"PK\x03\x04" * 100])
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    assert "damaged or not a zip archive" in refusal(tmp_path / "a.zip")


def test_absent_and_truncated_archive_and_folder_are_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "absent.zip")
    assert "Is a directory" in refusal(tmp_path)
    path = write_brown_archive(tmp_path / "a.zip", DOCUMENTS)
    path.write_bytes(path.read_bytes()[:-50])
    assert "damaged or not a zip archive" in refusal(path)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_brown_archive(tmp_path_factory.mktemp("fuzz") / "whole.zip", DOCUMENTS)


@given(changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=3))
def test_changed_archive_gives_documents_or_an_input_error(fuzzed: Path, changes: list[tuple[int, int]]) -> None:
    data = bytearray(fuzzed.read_bytes())
    for distance, value in changes:
        data[-1 - distance] = value
    path = fuzzed.with_name("changed.zip")
    path.write_bytes(data)
    result = outcome(lambda: brown_documents(path))
    if isinstance(result, str):
        assert result.startswith(f"{path}: ")
        assert "\n" not in result
    else:
        assert {text for _, text in result} <= set(DOCUMENTS.values())


@pytest.mark.skipif(not REAL.is_file(), reason="NLTK's archive is not beside the repository")
def test_real_archive_has_500_documents() -> None:
    documents = brown_documents(REAL)
    assert len(documents) == 500
    assert [name for name, _ in documents[:2]] == ["ca01", "ca02"]
    assert sum(len(text.split()) for _, text in documents) == 1_161_192
    assert normalize(documents[0][1]).startswith(
        "The Fulton County Grand Jury said Friday an investigation of Atlantas"
    )
    corpus = make_corpus(
        {"train": documents[:400], "validation": documents[400:450], "test": documents[450:]}, name="", source="brown"
    )
    assert sum(len(text.split()) for text in corpus.text.values()) > 1_000_000
