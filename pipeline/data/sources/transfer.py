"""One HTTP transfer into a `.part` file, which continues where an earlier one broke off."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from pipeline.common.errors import InputError
from pipeline.common.progress import progress_bar

BLOCK = 64 * 1024
TIMEOUT = (10, 60)
"""Seconds to wait for a connection, and for the next bytes."""
RETRIES = 4
"""How often a request is repeated after a refused connection or a 5xx answer."""
BACKOFF = 0.5
"""Seconds before the first repetition; each wait is twice the one before."""
WEB_PAGE = "a web page instead of the archive"


class Interrupted(Exception):
    """A transfer ended early; another one may continue the `.part` file."""


def open_session() -> requests.Session:
    """Open a session that repeats requests after refused connections and 5xx answers, without long waits."""
    retry = Retry(
        total=RETRIES,
        backoff_factor=BACKOFF,
        status_forcelist=(429, 500, 502, 503, 504),
        raise_on_status=False,
        respect_retry_after_header=False,  # which may be an hour
    )
    session = requests.Session()
    session.headers["Accept-Encoding"] = "identity"  # otherwise lengths and offsets count compressed bytes
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return session


def transfer(session: requests.Session, url: str, part: Path, *, pinned: bool) -> int:
    """Download `url` into `part` and return how many of its bytes were already there.

    An earlier transfer is continued only if the caller will check a hash (`pinned`), or if the server confirms that
    the file has not changed since.

    Raises:
        Interrupted: not everything arrived, or the earlier bytes are of no use (they are deleted then).
        InputError: the server answers with something else, or not at all.
    """
    mark = version_mark(part)
    version = mark.read_text("utf-8") if mark.is_file() else ""
    offset = part.stat().st_size if part.is_file() and (pinned or version) else 0
    headers = {"Range": f"bytes={offset}-"} if offset else {}
    if offset and not pinned:
        headers["If-Range"] = version
    try:
        response = session.get(url, headers=headers, stream=True, timeout=TIMEOUT)
    except requests.RequestException as error:
        raise InputError(f"{url}: {_reason(error)}") from None
    with response:
        _refuse_other_answers(response, url, offset)
        if response.status_code == 200:
            part.unlink(missing_ok=True)  # before the mark changes: it must never stand for other bytes
            mark.write_text(_version(response), "utf-8")
            _receive(response, part, _length(response))
            return 0
        total = _length_after(response, offset)
        if total is None or not (pinned or _version(response) == version):
            part.unlink()
            raise Interrupted("the server cannot continue an earlier download")
        _receive(response, part, total)
        return offset


def version_mark(part: Path) -> Path:
    """Return the path of the file that keeps the ETag or date of the file that `part` belongs to."""
    return part.with_name(f"{part.name}.version")


def _refuse_other_answers(response: requests.Response, url: str, offset: int) -> None:
    if response.status_code not in ((200, 206, 416) if offset else (200,)):
        raise InputError(f"{url}: answered {response.status_code} {response.reason}".rstrip())
    if response.headers.get("Content-Type", "").lower().startswith("text/html") and response.status_code != 416:
        raise InputError(f"{url}: answered with {WEB_PAGE}")


def _length(response: requests.Response) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if re.fullmatch("[0-9]{1,18}", length) else None


def _length_after(response: requests.Response, offset: int) -> int | None:
    """Return the whole file's length from a 206 answer that starts at `offset`; None for any other answer."""
    content_range = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", content_range)
    if response.status_code != 206 or not match or int(match[1]) != offset or int(match[2]) + 1 != int(match[3]):
        return None
    return int(match[3])


def _version(response: requests.Response) -> str:
    """Return what `If-Range` accepts: a strong ETag or a date; empty if the server sends neither."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified", "")


def _receive(response: requests.Response, part: Path, total: int | None) -> None:
    """Append the body to `part`, which must then have `total` bytes; None if the total is unknown."""
    here = part.stat().st_size if part.is_file() else 0
    name = Path(urlsplit(response.url).path).name or urlsplit(response.url).netloc
    with part.open("ab") as file, progress_bar(desc=name, total=total, initial=here, unit="B", unit_scale=True) as bar:
        try:
            for block in response.raw.stream(BLOCK, decode_content=False):
                bar.update(file.write(block))
        except urllib3.exceptions.HTTPError as error:
            raise Interrupted(
                f"broke off after {file.tell()} of {total or 'unknown'} bytes ({_reason(error)})"
            ) from None
        size = file.tell()
    if total is not None and size != total:
        if size > total:
            part.unlink()
        raise Interrupted(f"answered with {size} bytes instead of {total}")


def _reason(error: Exception) -> str:
    """Say in one line why a request failed, without the names of the library's objects."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    text = " ".join(str(cause or error).split())
    return re.sub(r"^HTTPS?Connection(Pool)?\([^)]*\): ", "", text)
