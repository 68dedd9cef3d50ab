"""Archives from the network or from disk: whole, with the right hash, and kept in a store."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from filelock import FileLock

from pipeline.common.errors import InputError
from pipeline.common.files import file_md5, file_sha256
from pipeline.data.sources.transfer import WEB_PAGE, Interrupted, open_session, transfer, version_mark

ATTEMPTS = 5
"""How often one call continues a download that breaks off."""


@dataclass(frozen=True)
class Pin:
    """The hashes that an archive must have."""

    section: str
    """Where the settings have them, such as `emnist.nist`."""
    sha256: str | None
    md5: str | None = None


def fetch_first(urls: Sequence[str], store: Path, pin: Pin, *, hint: str) -> Path:
    """Return the archive in `store`; download it from the first http(s) address that has it if it is not there.

    Its name in the store is its SHA-256, or the hash of its address if that is not pinned. The next call continues a
    download that broke off. Several processes may call at once.

    Raises:
        InputError: no address has the archive. The line says why for each, and ends with `hint`: what to do instead.
    """
    failures = []
    for url in urls:
        try:
            return _fetch(url, store, pin)
        except InputError as error:
            failures.append(str(error))
    raise InputError("; ".join([*failures, hint]))


def obtain(source: str, store: Path, pin: Pin, *, hint: str) -> Path:
    """Return the archive at `source`: an http(s) address, or the path of a file or folder from the project's root.

    Raises:
        InputError: it is absent, or its hash is another one. The line ends with `hint`.
    """
    if "://" in source:
        return fetch_first([source], store, pin, hint=hint)
    path = Path(source)
    try:
        if path.is_dir():
            fault = f"a folder, which has no hash to compare with {pin.section}.sha256" if pin.sha256 else None
        elif path.is_file():
            fault = _find_fault(path, pin)
        else:
            raise InputError(f"{path}: no such file or folder; {hint}")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {hint}") from None
    if fault:
        raise InputError(f"{path}: found {fault}; {hint}")
    return path


def _fetch(url: str, store: Path, pin: Pin) -> Path:
    _require_web_address(url)
    target = store / (pin.sha256 or hashlib.sha256(url.encode()).hexdigest())
    try:
        store.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            if not target.is_file() or _find_fault(target, pin):
                with open_session() as session:
                    _download(session, url, target, pin)
    except OSError as error:
        raise InputError(f"{store}: cannot be written ({error.strerror or error})") from None
    return target


def _download(session: requests.Session, url: str, target: Path, pin: Pin) -> None:
    part = target.with_name(f"{target.name}.part")
    reason = ""
    for _ in range(ATTEMPTS):
        try:
            earlier = transfer(session, url, part, pinned=bool(pin.sha256 or pin.md5))
        except Interrupted as error:
            reason = str(error)
            continue
        fault = _find_fault(part, pin)
        version_mark(part).unlink(missing_ok=True)
        if fault is None:
            part.replace(target)
            return
        part.unlink()
        reason = f"answered with {fault}"
        if not earlier:  # otherwise the earlier bytes may be at fault: download it again from the start
            break
    raise InputError(f"{url}: {reason}")


def _require_web_address(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{url!r}: not an http or https address")


def _find_fault(path: Path, pin: Pin) -> str | None:
    """Say what the file is instead of the archive; None if its hashes are right."""
    for name, file_hash, key, wanted in (
        ("SHA-256", file_sha256, "sha256", pin.sha256),
        ("MD5", file_md5, "md5", pin.md5),
    ):
        if wanted and (got := file_hash(path)) != wanted:
            return WEB_PAGE if _is_web_page(path) else f"a file of {name} {got}, but {pin.section}.{key} is {wanted}"
    return WEB_PAGE if not (pin.sha256 or pin.md5) and _is_web_page(path) else None


def _is_web_page(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(1024).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html"))
