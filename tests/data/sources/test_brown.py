import zipfile
from pathlib import Path

import pytest

from pipeline.common.errors import InputError
from pipeline.data.sources import brown
from pipeline.data.sources.brown import brown_documents, load_archive
from pipeline.data.storage.corpus import make_corpus, normalize
from pipeline.settings.base import read_params
from pipeline.settings.sources import CorpusSettings
from tests.archives import write_folder, write_tar, write_zip
from tests.corpora import brown_members, write_brown_archive
from tests.imports import ROOT

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


WRAPPINGS = {
    "at the root": {name.removeprefix("brown/"): content for name, content in MEMBERS.items()},
    "deep": {f"nltk_data/corpora/{name}": content for name, content in MEMBERS.items()},
    "with backslashes": {name.replace("/", "\\"): content for name, content in MEMBERS.items()},
    "with line ends of Windows": {name: content.replace(b"\n", b"\r\n") for name, content in MEMBERS.items()},
    "with what macOS adds": {**MEMBERS, "__MACOSX/brown/ca01": b"", "brown/._ca01": b""},
}


@pytest.mark.parametrize("members", WRAPPINGS.values(), ids=WRAPPINGS)
def test_every_wrapping_is_read(tmp_path: Path, members: dict[str, bytes]) -> None:
    paths = [
        write_zip(tmp_path / "a.zip", members),
        write_tar(tmp_path / "a.tgz", members, "w:gz"),
        write_folder(tmp_path / "a" / "b", members),
    ]
    for path in paths:
        assert brown_documents(path) == list(DOCUMENTS.items())


def test_paths_that_lead_outside_are_only_names(tmp_path: Path) -> None:
    members = {f"../../{name}": content for name, content in MEMBERS.items()}
    path = write_zip(tmp_path / "a.zip", members)
    assert brown_documents(path) == list(DOCUMENTS.items())
    assert list(tmp_path.iterdir()) == [path]


def test_a_part_of_the_corpus_is_called_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_brown_archive(tmp_path / "brown.zip", DOCUMENTS)
    shipped = {**read_params(ROOT / "params.yaml")["corpus"], "source": "archive", "archive": str(path)}
    settings = CorpusSettings.model_validate(shipped)
    assert load_archive(settings, tmp_path).name == "3 documents of the Brown corpus"
    monkeypatch.setattr(brown, "WHOLE", (3, 9))
    assert load_archive(settings, tmp_path).name == "the Brown corpus"
    monkeypatch.setattr(brown, "WHOLE", (3, 10))
    assert load_archive(settings, tmp_path).name == "3 documents of the Brown corpus"


def test_two_documents_of_one_name_are_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {**MEMBERS, "copy/ca01": b"a/b"})
    assert "has two files ca01: brown/ca01 and copy/ca01; remove one of them;" in refusal(path)


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


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ({}, "as it is empty"),
        ({"brown/ca1": b"a/b"}, "but brown/ca1;"),
        ({"brown_tei/a01.xml": b""}, "but brown_tei/a01.xml;"),
        ({"corpora/brown.zip": b""}, "but another archive, corpora/brown.zip, which must be unpacked first;"),
    ],
)
def test_archive_of_something_else_is_refused(tmp_path: Path, members: dict[str, bytes], fault: str) -> None:
    assert f"has no document such as ca01, {fault}" in refusal(write_zip(tmp_path / "a.zip", members))


def test_zip_bomb_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_zip(tmp_path / "a.zip", {**MEMBERS, "brown/ca02": b"a/b " * 10_000}, zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(brown, "MAX_BYTES", 1_000)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("a member is read"))
    assert "its documents are 400" in refusal(path)


def test_other_compression_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", MEMBERS, zipfile.ZIP_LZMA)
    assert "brown/ca01: is compressed by method 14; stored or deflated can be read" in refusal(path)


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
