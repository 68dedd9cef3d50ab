"""Files of a zip or tar archive or of a folder, found by their names and read without extracting them.

A path within an archive is only shown, never used. Errors are one line that names the archive and the file in it.
"""

import lzma
import os
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from pipeline.common.errors import InputError

MAX_FILES = 100_000
"""Most files that an archive or a folder may have."""
ARCHIVE_NAME = re.compile(r".*\.(zip|tar|tgz|tar\.\w+|7z|rar)")
ENCRYPTED = 0x1
BLOCK = 1 << 20
DAMAGED = (BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, NotImplementedError)
"""What the standard library raises for a damaged archive, beside an OSError without a number.

zipfile raises NotImplementedError for flags that it does not know, such as patched data.
"""


@dataclass(frozen=True)
class File:
    """A file of an archive or of a folder."""

    path: str
    """Its place, as messages show it."""
    size: int
    """Bytes."""
    open: Callable[[], IO[bytes]]

    @property
    def name(self) -> str:
        """The last part of the path, in lower case. Some tools for Windows write paths with backslashes."""
        return re.split(r"[/\\]", self.path)[-1].lower()


@contextmanager
def open_archive(path: Path, advice: str) -> Iterator[list[File]]:
    """List the files of a zip or tar archive or of a folder, without those that macOS adds.

    An `InputError` raised in the block gets the archive's path and `advice` added.

    Raises:
        InputError: the archive cannot be used; the line names it and ends with `advice`.
    """
    try:
        with ExitStack() as stack:
            files = list(islice(_list_files(path, stack), MAX_FILES + 1))
            if len(files) > MAX_FILES:
                raise InputError(f"has more than {MAX_FILES} files")
            yield [file for file in files if not file.name.startswith("._") and "__MACOSX" not in file.path]
    except InputError as error:
        raise InputError(f"{path}: {error}; {advice}") from None
    # zipfile also raises ValueError for a damaged directory of members.
    except (OSError, ValueError, *DAMAGED) as error:
        raise InputError(f"{path}: {_describe(error)}; {advice}") from None


@contextmanager
def open_file(file: File, max_bytes: int) -> Iterator[IO[bytes]]:
    """Open a file of at most `max_bytes` bytes. Reading it to its end also checks its checksum, if it has one.

    Raises:
        InputError: the file is too large, damaged, encrypted, or compressed by another method.
    """
    if file.size > max_bytes:
        raise InputError(f"{file.path}: is {file.size} bytes; at most {max_bytes} can be read")
    try:
        with file.open() as stream:
            yield stream
    except InputError as error:
        raise InputError(f"{file.path}: {error}") from None
    except (OSError, *DAMAGED) as error:
        raise InputError(f"{file.path}: {_describe(error)}") from None


def find_files(files: Sequence[File], pattern: str) -> dict[str, File]:
    """Return the files whose names match `pattern`, sorted by its first group.

    Raises:
        InputError: there are two files for one name.
    """
    found: dict[str, File] = {}
    for file in files:
        if match := re.fullmatch(pattern, file.name):
            if other := found.get(match[1]):
                raise InputError(f"has two files {match[1]}: {other.path} and {file.path}; remove one of them")
            found[match[1]] = file
    return dict(sorted(found.items()))


def describe_files(files: Sequence[File]) -> str:
    """Say what is there instead of a file that is missing."""
    if nested := [file.path for file in files if ARCHIVE_NAME.fullmatch(file.name)]:
        return f"but another archive, {nested[0]}, which must be unpacked first"
    shown = ", ".join(file.path for file in files[:3])
    return f"but {shown}{' and others' * (len(files) > 3)}" if files else "as it is empty"


def _list_files(path: Path, stack: ExitStack) -> Iterator[File]:
    if path.is_dir():
        return _list_folder(path)
    with path.open("rb") as file:
        zipped = file.read(2) == b"PK"
    return _list_zip(stack.enter_context(ZipFile(path))) if zipped else _list_tar(stack.enter_context(_open_tar(path)))


def _list_folder(folder: Path) -> Iterator[File]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for path in (Path(parent, name) for name in sorted(names)):
            if path.is_file():
                yield File(_printable(str(path.relative_to(folder))), path.stat().st_size, partial(FileIO, path))


def _list_zip(archive: ZipFile) -> Iterator[File]:
    for info in archive.infolist():
        if not info.is_dir():
            yield File(_printable(info.filename), info.file_size, partial(_open_zipped, archive, info))


def _open_zipped(archive: ZipFile, info: ZipInfo) -> IO[bytes]:
    if info.flag_bits & ENCRYPTED:
        raise InputError("is encrypted")
    # zipfile does not limit the memory that the other methods take.
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise InputError(f"is compressed by method {info.compress_type}; stored or deflated can be read")
    return archive.open(info)


def _open_tar(path: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(path)
    except tarfile.ReadError:  # its message has a line for each method of compression
        raise InputError("is damaged, or neither a zip nor a tar archive") from None


def _list_tar(archive: tarfile.TarFile) -> Iterator[File]:
    for member in archive:
        if member.isfile():
            yield File(_printable(member.name), member.size, partial(_open_tarred, archive, member))
    stream = archive.fileobj
    assert stream, "it is open"
    stream.seek(archive.offset)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):  # tarfile takes a damaged header for the end
        raise InputError("is damaged (it ends too early, or a header in it is damaged)")
    while stream.read(BLOCK):  # gzip, bzip2 and xz have their checksum at the end
        pass


def _open_tarred(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(member)
    assert stream, "it is a file"
    return stream


def _printable(path: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in path)


def _describe(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return f"cannot be read ({error.strerror})"
    return f"is damaged ({' '.join(str(error).split()) or 'it ends too early'})"
