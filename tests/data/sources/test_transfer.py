from pathlib import Path

import pytest

from pipeline.common.errors import InputError
from pipeline.data.sources import download, transfer
from pipeline.data.sources.download import Pin, fetch_first
from tests.data.sources.downloads import CONTENT, HINT, OTHER, SHA256, get, left_in, one_line
from tests.web import Answer, Request, Web, resumable, status, whole

HALF = 150_000


def leave_part(store: Path, content: bytes) -> Path:
    store.mkdir()
    part = store / f"{SHA256}.part"
    part.write_bytes(content)
    return part


def ranges(web: Web) -> list[str | None]:
    return [asked for _, asked, _ in web.log]


def test_server_error_is_asked_again(web: Web, tmp_path: Path) -> None:
    assert get(web.serve("/a", status(500), status(503), whole(CONTENT)), tmp_path).read_bytes() == CONTENT
    assert len(web.log) == 3


def test_lasting_server_error_is_named(web: Web, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="answered 500 Internal Server Error"):
        get(web.serve("/a", status(500)), tmp_path)
    assert len(web.log) == 1 + transfer.RETRIES


def test_refused_connection_is_named_in_one_line(web: Web, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        get("http://127.0.0.1:1/a", tmp_path)
    assert "Connection refused" in one_line(error)
    assert "HTTPConnection" not in one_line(error)


def test_download_continues_where_it_broke_off(web: Web, tmp_path: Path) -> None:
    url = web.serve("/a", resumable(CONTENT, breaks_after=HALF), resumable(CONTENT))
    assert get(url, tmp_path).read_bytes() == CONTENT
    first, second = ranges(web)
    assert first is None
    assert second is not None
    assert 0 < int(second.removeprefix("bytes=").removesuffix("-")) <= HALF


def test_next_call_continues_from_the_part(web: Web, tmp_path: Path) -> None:
    leave_part(tmp_path / "store", CONTENT[:HALF])
    url = web.serve("/a", resumable(CONTENT))
    assert get(url, tmp_path / "store").read_bytes() == CONTENT
    assert ranges(web) == [f"bytes={HALF}-"]
    assert left_in(tmp_path / "store") == [SHA256]


def test_endless_breaking_off_is_given_up_but_the_part_kept(web: Web, tmp_path: Path) -> None:
    url = web.serve("/a", resumable(CONTENT, breaks_after=0))
    part = leave_part(tmp_path / "store", CONTENT[:HALF])
    with pytest.raises(InputError, match=f"{HALF} of {len(CONTENT)} bytes"):
        get(url, part.parent)
    assert len(web.log) == download.ATTEMPTS
    assert part.read_bytes() == CONTENT[:HALF]


def partial(content_range: str, body: bytes) -> Answer:
    return status(206, body, Content_Range=content_range)


@pytest.mark.parametrize(
    "answer",
    [
        status(416),
        status(416, Content_Type="text/html"),
        status(206, CONTENT[HALF:]),
        partial(f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}", CONTENT),
        partial(f"bytes {HALF}-{HALF + 9}/{len(CONTENT)}", CONTENT[HALF : HALF + 10]),
        partial(f"bytes {HALF}-{len(CONTENT) - 1}/*", CONTENT[HALF:]),
        partial(f"bytes {HALF}-{len(CONTENT) - 1}/{len(CONTENT)}", CONTENT[HALF:] + b"more"),
        partial(f"bytes {HALF}-{len(CONTENT) - 1}/{len(CONTENT)}", OTHER[HALF:]),
    ],
)
def test_server_that_cannot_continue_starts_over(web: Web, tmp_path: Path, answer: Answer) -> None:
    leave_part(tmp_path / "store", CONTENT[:HALF])
    assert get(web.serve("/a", answer, whole(CONTENT)), tmp_path / "store").read_bytes() == CONTENT
    assert ranges(web) == [f"bytes={HALF}-", None]


def test_server_that_ignores_ranges_is_taken_at_its_word(web: Web, tmp_path: Path) -> None:
    leave_part(tmp_path / "store", OTHER[:HALF])
    assert get(web.serve("/a", whole(CONTENT)), tmp_path / "store").read_bytes() == CONTENT
    assert len(web.log) == 1


def test_part_of_other_content_is_thrown_away(web: Web, tmp_path: Path) -> None:
    leave_part(tmp_path / "store", OTHER[:HALF])
    assert get(web.serve("/a", resumable(CONTENT)), tmp_path / "store").read_bytes() == CONTENT
    assert ranges(web) == [f"bytes={HALF}-", None]


@pytest.mark.parametrize(
    ("etag", "later_etag", "asked"),
    [('"1"', '"1"', '"1"'), ('"1"', '"2"', '"1"'), ('W/"1"', 'W/"1"', None), (None, None, None)],
)
def test_unpinned_download_continues_the_same_version_only(
    web: Web, tmp_path: Path, etag: str | None, later_etag: str | None, asked: str | None
) -> None:
    later = CONTENT if etag == later_etag else OTHER
    url = web.serve("/a", resumable(CONTENT, etag=etag, breaks_after=HALF), resumable(later, etag=later_etag))
    assert fetch_first([url], tmp_path, Pin("emnist", None), hint=HINT).read_bytes() == later
    assert web.log[1][2] == asked
    assert (web.log[1][1] is None) == (asked is None)


def test_unpinned_download_does_not_trust_a_server_that_ignores_if_range(web: Web, tmp_path: Path) -> None:
    def ignoring(request: Request) -> None:
        del request.headers["If-Range"]
        resumable(OTHER, etag='"2"')(request)

    url = web.serve("/a", resumable(CONTENT, etag='"1"', breaks_after=HALF), ignoring)
    assert fetch_first([url], tmp_path, Pin("emnist", None), hint=HINT).read_bytes() == OTHER


def test_unpinned_download_checks_where_a_range_starts(web: Web, tmp_path: Path) -> None:
    def elsewhere(request: Request) -> None:
        start = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        content_range = f"bytes {start + 1}-{len(CONTENT) - 1}/{len(CONTENT)}"
        request.reply(206, OTHER[start:], Content_Range=content_range, ETag='"1"')

    broken = resumable(CONTENT, etag='"1"', breaks_after=HALF)
    url = web.serve("/a", broken, elsewhere, whole(CONTENT))
    assert fetch_first([url], tmp_path, Pin("emnist", None), hint=HINT).read_bytes() == CONTENT


def test_unpinned_download_that_ends_too_early_goes_on(web: Web, tmp_path: Path) -> None:
    def short(request: Request) -> None:
        start = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        content_range = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        request.reply(206, CONTENT[start:-5], Content_Range=content_range, ETag='"1"')

    url = web.serve("/a", resumable(CONTENT, etag='"1"', breaks_after=HALF), short, resumable(CONTENT, etag='"1"'))
    assert fetch_first([url], tmp_path, Pin("emnist", None), hint=HINT).read_bytes() == CONTENT
    assert ranges(web)[2] == f"bytes={len(CONTENT) - 5}-"


def test_redirect_to_a_file_is_not_followed(web: Web, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(CONTENT)
    url = web.serve("/a", status(302, Location=(tmp_path / "secret").as_uri()))
    with pytest.raises(InputError, match=url):
        get(url, tmp_path / "store")
    assert left_in(tmp_path / "store") == []
