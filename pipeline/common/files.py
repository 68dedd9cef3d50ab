"""Files that are either whole or absent, and where the project's root is."""

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
"""How the folder of an unfinished file ends; `.dvcignore` and `.gitignore` know it."""


def project_root() -> Path:
    """The folder that relative paths in `params.yaml` start from.

    DVC sets `DVC_ROOT` to the main workspace even where it runs a stage in a temporary copy
    (`dvc exp run --temp`, the queue); without DVC it is the nearest folder above with `.dvc/`.
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
    """Yield a temporary path beside `target` that becomes `target` if the block ends well.

    The temporary file keeps the target's suffix, and is removed when the block raises.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(target)
    folder, owned = _own_folder(target)
    try:
        partial = folder / target.name
        yield partial
        partial.replace(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(owned)


def _own_folder(target: Path) -> tuple[Path, int]:
    """A new folder beside `target`, locked for as long as this process lives and the descriptor is open."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=PARTIAL, dir=target.parent))
        if (owned := _lock(folder)) is not None and folder.exists():  # another may have taken it for abandoned
            return folder, owned


def _remove_abandoned(target: Path) -> None:
    """Remove what killed processes left of the same target."""
    if fcntl is None:
        return
    for folder in target.parent.glob(f".{target.name}.*{PARTIAL}"):
        if (owned := _lock(folder)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(owned)


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock, which ends with the process; None where another has it."""
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
    """Write `text` as UTF-8 with `\\n` line ends, all of it or nothing."""
    with atomic_path(target) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def file_sha256(path: Path) -> str:
    """The file's SHA-256 in lower-case hexadecimal digits, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_md5(path: Path) -> str:
    """The file's MD5: the name that DVC knows it by, not a protection."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
