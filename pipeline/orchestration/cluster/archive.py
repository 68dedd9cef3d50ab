"""A project's files as one archive, which goes to other machines."""

import gzip
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path


def pack(files: Iterable[Path]) -> bytes:
    """Pack files below the current folder; the same content gives the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(files):
            entry = tarfile.TarInfo(str(path))
            content = path.read_bytes()
            entry.size, entry.mode = len(content), 0o755 if path.stat().st_mode & 0o100 else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), compresslevel=1, mtime=0)


def unpack(archive: bytes, folder: Path) -> None:
    """Write the files below `folder`, and nothing outside it."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as file:
        file.extractall(folder, filter="data")
