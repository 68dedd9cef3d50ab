"""Atomic files, hashes of files, and the project's root."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PARTIAL = ".partial"
"""Suffix of the folder of an unfinished file; `.dvcignore` and `.gitignore` list it."""


def project_root() -> Path:
    """The folder that relative paths in `params.yaml` start from.

    DVC sets `DVC_ROOT` to the main workspace, also when it runs a stage in a temporary copy (`dvc exp run --temp`, the
    queue). Without DVC it is the nearest folder with a `.dvc/`, from the current one upwards.
    """
    if root := os.environ.get("DVC_ROOT"):
        return Path(root)
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / ".dvc").is_dir():
            return folder
    return here


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; rename it to `target` at the end of the block.

    If the block raises, the temporary file is removed and `target` stays as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(target)
    folder, lock = _make_locked_folder(target)
    try:
        partial = folder / target.name
        yield partial
        partial.replace(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _make_locked_folder(target: Path) -> tuple[Path, int]:
    """Make a folder beside `target`; return it and the open descriptor that holds its lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=PARTIAL, dir=target.parent))
        if (lock := _lock(folder)) is not None and folder.exists():  # another process may just have removed it
            return folder, lock


def _remove_abandoned(target: Path) -> None:
    """Remove the folders that killed processes left beside the same target."""
    if fcntl is None:
        return
    for folder in target.parent.glob(f".{target.name}.*{PARTIAL}"):
        if (lock := _lock(folder)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock the folder: the lock lasts until the descriptor is closed or the process ends.

    Return None if another process holds the lock.
    """
    if fcntl is None:
        return os.open(os.devnull, os.O_RDONLY)
    descriptor = None
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor
    if descriptor is not None:
        os.close(descriptor)
    return None


def write_text(target: Path, text: str) -> None:
    """Write `text` atomically as UTF-8 with `\\n` line ends."""
    with atomic_path(target) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def file_sha256(path: Path) -> str:
    """The file's SHA-256 in lower-case hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_md5(path: Path) -> str:
    """The file's MD5, by which DVC identifies it; no protection against forgery."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
