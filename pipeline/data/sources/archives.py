"""Zip archives from elsewhere, read without extracting them. Errors are one line that names archive and member."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from pipeline.common.errors import InputError

ENCRYPTED = 0x1


@contextmanager
def open_archive(path: Path, advice: str) -> Iterator[ZipFile]:
    """Open a zip archive. An `InputError` raised in the block gets the archive's path and `advice` added.

    Raises:
        InputError: the archive cannot be used; the line names it and ends with `advice`.
    """
    try:
        with ZipFile(path) as archive:
            yield archive
    except InputError as error:
        raise InputError(f"{path}: {error}; {advice}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); {advice}") from None
    # zipfile also raises ValueError or NotImplementedError for a damaged directory of members.
    except (BadZipFile, NotImplementedError, ValueError) as error:
        raise InputError(f"{path}: damaged or not a zip archive ({error}); {advice}") from None


@contextmanager
def open_member(archive: ZipFile, name: str, max_bytes: int) -> Iterator[IO[bytes]]:
    """Open a member of at most `max_bytes` bytes. Reading it to its end also checks its checksum.

    Raises:
        InputError: the member is absent, too large, damaged, encrypted, or compressed by another method.
    """
    try:
        member = archive.getinfo(name)
    except KeyError:
        raise InputError(f"has no member {name}") from None
    if member.flag_bits & ENCRYPTED:
        raise InputError(f"{name}: is encrypted")
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise InputError(f"{name}: is compressed by method {member.compress_type}; stored or deflated can be read")
    if member.file_size > max_bytes:
        raise InputError(f"{name}: is {member.file_size} bytes; at most {max_bytes} can be read")
    try:
        with archive.open(member) as stream:
            yield stream
    # zipfile raises NotImplementedError for flags that it does not know, such as patched data.
    except (BadZipFile, EOFError, zlib.error, NotImplementedError) as error:
        raise InputError(f"{name}: is damaged ({error})") from None
