import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from pipeline.common.errors import InputError
from pipeline.data.sources.download import Pin, fetch_first, obtain
from tests.data.sources.downloads import CONTENT, HINT, MD5, OTHER, SHA256, get, left_in, one_line
from tests.web import Answer, Request, Web, status, whole

PAGE = b"\n<!DOCTYPE html><title>We have moved</title>"


def test_whole_file_is_kept_and_reused_without_network(web: Web, tmp_path: Path) -> None:
    url = web.serve("/a", whole(CONTENT))
    path = get(url, tmp_path / "store")
    assert path.read_bytes() == CONTENT
    assert left_in(path.parent) == [SHA256]
    assert get(url, path.parent) == path
    assert len(web.log) == 1


def test_damaged_file_in_the_store_is_fetched_again(web: Web, tmp_path: Path) -> None:
    (tmp_path / SHA256).write_bytes(CONTENT[:-1])
    assert get(web.serve("/a", whole(CONTENT)), tmp_path).read_bytes() == CONTENT


def test_addresses_are_tried_in_order(web: Web, tmp_path: Path) -> None:
    urls = [
        web.serve("/gone", status(404)),
        web.serve("/good", whole(CONTENT)),
        web.serve("/later", whole(CONTENT)),
    ]
    assert fetch_first(urls, tmp_path, Pin("emnist", SHA256), hint=HINT).read_bytes() == CONTENT
    assert [path for path, _, _ in web.log] == ["/gone", "/good"]


def test_failure_names_every_address_its_reason_and_what_to_do(web: Web, tmp_path: Path) -> None:
    gone, moved, other = (
        web.serve("/gone", status(404)),
        web.serve("/moved", whole(PAGE)),
        web.serve("/other", whole(OTHER)),
    )
    with pytest.raises(InputError) as error:
        fetch_first([gone, moved, other], tmp_path, Pin("emnist", SHA256), hint=HINT)
    got = hashlib.sha256(OTHER).hexdigest()
    assert one_line(error) == (
        f"{gone}: answered 404 Not Found; {moved}: answered with a web page instead of the archive; "
        f"{other}: answered with a file of SHA-256 {got}, but emnist.sha256 is {SHA256}; {HINT}"
    )
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("sha256", [SHA256, None])
@pytest.mark.parametrize(
    "answer",
    [
        whole(PAGE),
        whole(b"\xef\xbb\xbf<HTML>"),
        whole(b"Moved.", Content_Type="text/html; charset=utf-8"),
    ],
)
def test_web_page_is_called_one(web: Web, tmp_path: Path, answer: Answer, sha256: str | None) -> None:
    with pytest.raises(InputError, match="answered with a web page instead of the archive"):
        fetch_first([web.serve("/a", answer)], tmp_path, Pin("emnist", sha256), hint=HINT)
    assert not list(tmp_path.glob("*.part"))


def test_wrong_md5_is_refused(web: Web, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"MD5 {MD5}, but emnist.nist.md5 is {'0' * 32}"):
        fetch_first([web.serve("/a", whole(CONTENT))], tmp_path, Pin("emnist.nist", SHA256, "0" * 32), hint=HINT)
    assert not (tmp_path / SHA256).exists()
    assert len(web.log) == 1


def test_two_callers_at_once_download_once(web: Web, tmp_path: Path) -> None:
    second_asks = Event()

    def slow(request: Request) -> None:
        if len(web.log) > 1:
            second_asks.set()
        second_asks.wait(0.5)  # time in which a second caller would ask, did the first not lock
        request.reply(200, CONTENT)

    url = web.serve("/a", slow)
    with ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(lambda _: get(url, tmp_path), range(2)))
    assert paths[0] == paths[1]
    assert paths[0].read_bytes() == CONTENT
    assert len(web.log) == 1


@pytest.mark.parametrize("url", ["file:///etc/hosts", "ftp://127.0.0.1/a", "http://", "http://[::1/", "://"])
def test_only_web_addresses_are_fetched(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError, match="not an http or https address") as error:
        obtain(url, tmp_path / "store", Pin("emnist", None), hint=HINT)
    assert url in one_line(error)
    assert not (tmp_path / "store").exists()


def test_store_that_cannot_be_written_is_named(web: Web, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(InputError, match="store: cannot be written") as error:
        get(web.serve("/a", whole(CONTENT)), tmp_path / "store")
    assert HINT in one_line(error)


def test_local_folder_is_used_in_place_but_has_no_hash(tmp_path: Path) -> None:
    assert obtain(str(tmp_path), tmp_path, Pin("corpus", None), hint=HINT) == tmp_path
    with pytest.raises(InputError) as error:
        obtain(str(tmp_path), tmp_path, Pin("corpus", SHA256), hint=HINT)
    assert one_line(error) == f"{tmp_path}: found a folder, which has no hash to compare with corpus.sha256; {HINT}"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anywhere")
def test_archive_in_a_closed_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(InputError, match="cannot be read \\(Permission denied\\)"):
        obtain(str(tmp_path / "closed" / "own.zip"), tmp_path, Pin("emnist", None), hint=HINT)


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_local_archive_is_used_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sha256: str | None) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.zip").write_bytes(CONTENT)
    for source in ("own.zip", str(tmp_path / "own.zip")):
        assert obtain(source, tmp_path / "store", Pin("emnist", sha256), hint=HINT) == Path(source)
    assert not (tmp_path / "store").exists()


def test_address_is_obtained_like_any_download(web: Web, tmp_path: Path) -> None:
    path = obtain(web.serve("/a", whole(CONTENT)), tmp_path, Pin("emnist", SHA256), hint=HINT)
    assert path == tmp_path / SHA256


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "no such file or folder"),
        (OTHER, f"found a file of SHA-256 {hashlib.sha256(OTHER).hexdigest()}, but emnist.sha256 is {SHA256}"),
        (PAGE, "found a web page instead of the archive"),
    ],
)
def test_unusable_local_archive_is_named(tmp_path: Path, content: bytes | None, fault: str) -> None:
    path = tmp_path / "own.zip"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as error:
        obtain(str(path), tmp_path, Pin("emnist", SHA256), hint=HINT)
    assert one_line(error) == f"{path}: {fault}; {HINT}"
