import hashlib
import os
import shutil
import urllib.request
from pathlib import Path

import nltk.downloader
import pytest

from pipeline.common.errors import InputError
from pipeline.data.sources.brown import brown_documents, download_brown
from tests.corpora import brown_members, write_brown_archive
from tests.web import Web, status, whole

DOCUMENTS = {"ca01": "The jury said .", "cb02": "`` No ''"}
MEMBERS = brown_members(DOCUMENTS)
REAL = Path(__file__).parents[3] / "../shared/data/nltk/brown.zip"


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    return write_brown_archive(tmp_path / "brown.zip", DOCUMENTS).read_bytes()


@pytest.fixture
def data_server(web: Web, archive: bytes, monkeypatch: pytest.MonkeyPatch) -> Web:
    """An index of NLTK's data that has the small archive."""
    # NLTK refuses addresses of the loopback.
    monkeypatch.setattr(nltk.downloader, "urlopen", urllib.request.urlopen)
    monkeypatch.setattr(nltk.data, "path", [])
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    address = web.serve("/corpora/brown.zip", whole(archive))
    web.serve("/index.xml", whole(index(address, archive)))
    return web


def index(address: str, archive: bytes, **changes: str) -> bytes:
    attributes = {
        "id": "brown",
        "name": "Brown Corpus",
        "subdir": "corpora",
        "url": address,
        "size": str(len(archive)),
        "unzipped_size": str(sum(map(len, MEMBERS.values()))),
        "unzip": "1",
        "checksum": hashlib.md5(archive, usedforsecurity=False).hexdigest(),
        "sha256_checksum": hashlib.sha256(archive).hexdigest(),
        **changes,
    }
    written = " ".join(f'{key}="{value}"' for key, value in attributes.items())
    return f"<nltk_data><packages><package {written}/></packages></nltk_data>".encode()


def download(web: Web, store: Path, content: bytes) -> Path:
    return download_brown(store, hashlib.sha256(content).hexdigest(), f"{web.address}/index.xml")


def download_fault(web: Web, store: Path, content: bytes) -> str:
    """The one line that says why nothing was downloaded and what to do; the store has nothing then."""
    with pytest.raises(InputError) as error:
        download(web, store, content)
    message = str(error.value)
    assert "\n" not in message
    assert "set corpus.source to archive and corpus.archive to its path" in message
    assert not store.exists() or not list(store.iterdir())
    return message


def test_nltk_downloads_into_the_store_once(
    data_server: Web, archive: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = download(data_server, tmp_path / "store", archive)
    assert path == tmp_path / "store" / "brown.zip"
    assert path.read_bytes() == archive
    assert list(path.parent.iterdir()) == [path]
    assert brown_documents(path) == list(DOCUMENTS.items())
    asked = len(data_server.log)
    assert download(data_server, tmp_path / "store", archive) == path
    assert len(data_server.log) == asked
    assert capfd.readouterr() == ("", "")


def test_archive_with_the_hash_is_good_whatever_nltk_thinks_of_its_members(
    data_server: Web, archive: bytes, tmp_path: Path
) -> None:
    address = f"{data_server.address}/corpora/brown.zip"
    data_server.serve("/index.xml", whole(index(address, archive, unzipped_size="7")))
    assert download(data_server, tmp_path, archive).read_bytes() == archive


def test_store_that_a_group_may_write_to_and_a_damaged_file_in_it(
    data_server: Web, archive: bytes, tmp_path: Path
) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store").chmod(0o775)
    (tmp_path / "store" / "brown.zip").write_bytes(archive[:-1])
    assert download(data_server, tmp_path / "store", archive).read_bytes() == archive


def test_archive_of_another_hash_is_refused(data_server: Web, archive: bytes, tmp_path: Path) -> None:
    message = download_fault(data_server, tmp_path / "store", b"what was pinned")
    assert f"a file of SHA-256 {hashlib.sha256(archive).hexdigest()}, but corpus.brown.sha256 is " in message


@pytest.mark.parametrize(
    "content",
    [b"", b"<!doctype html><html><body>moved</html>", b"<nltk_data/>", b"\xff", b"<nltk_data><packages><package/>"],
)
def test_what_is_not_an_index_is_refused(data_server: Web, archive: bytes, tmp_path: Path, content: bytes) -> None:
    data_server.serve("/index.xml", whole(content))
    assert "NLTK could not fetch it" in download_fault(data_server, tmp_path / "store", archive)


@pytest.mark.parametrize(
    "changes",
    [{"size": "7"}, {"size": "x"}, {"subdir": "../.."}, {"subdir": "models"}, {"id": "gutenberg"}, {"url": "ftp://[x"}],
    ids=str,
)
def test_index_with_a_fault_is_refused(
    data_server: Web, archive: bytes, tmp_path: Path, changes: dict[str, str]
) -> None:
    address = f"{data_server.address}/corpora/brown.zip"
    data_server.serve("/index.xml", whole(index(address, archive, **changes)))
    assert "NLTK" in download_fault(data_server, tmp_path / "store", archive)


@pytest.mark.parametrize("path", ["/index.xml", "/corpora/brown.zip"])
def test_missing_file_on_the_server_is_refused(data_server: Web, archive: bytes, tmp_path: Path, path: str) -> None:
    data_server.serve(path, status(404))
    assert "404" in download_fault(data_server, tmp_path / "store", archive)


def test_no_connection_is_refused(data_server: Web, archive: bytes, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"NLTK could not fetch it .*refused"):
        download_brown(tmp_path / "store", "0" * 64, "http://127.0.0.1:1/index.xml")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_store_that_cannot_be_written_is_refused(data_server: Web, archive: bytes, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(InputError, match="cannot be kept"):
        download(data_server, tmp_path / "closed" / "store", archive)


def test_store_that_is_a_file_is_refused(data_server: Web, archive: bytes, tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be kept"):
        download(data_server, tmp_path / "store", archive)


@pytest.mark.skipif(not REAL.is_file(), reason="NLTK's archive is not beside the repository")
def test_file_with_the_pinned_hash_needs_no_network(tmp_path: Path) -> None:
    shutil.copy(REAL, tmp_path / "brown.zip")
    pinned = "9b275f9b3b95d7bd66ccfb7cd259f445a13bbe5d1f4107aba09fd3e8364bafa6"
    assert download_brown(tmp_path, pinned) == tmp_path / "brown.zip"
