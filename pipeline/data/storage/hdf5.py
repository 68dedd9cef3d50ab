"""HDF5 files, safely: on a disk that may be full, and from files that may be damaged or declare more than they hold."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from pipeline.common.errors import InputError, reraise_shortage

MAX_REASON_LENGTH = 300
INTEGERS = {"u": "unsigned integers", "i": "signed integers"}
MAX_CHUNK_BYTES = 2**26
"""HDF5 unpacks a chunk as a whole; ours have 1.3 million bytes at 32 characters."""


class _LateErrorFile(io.RawIOBase):
    """A file that accepts every write and keeps the first error for later: HDF5 crashes if closing a file fails."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("w+b", buffering=0)
        self.error: OSError | None = None

    def write(self, data: object) -> int:
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        start = self.file.tell()
        done = 0
        try:
            while self.error is None and done < len(view):
                done += self.file.write(view[done:])
        except OSError as error:
            self.error = error
        self.file.seek(start + len(view))
        return len(view)

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        count = self.file.readinto(view)
        view[count:] = bytes(len(view) - count)
        return len(view)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def truncate(self, size: int | None = None) -> int:
        try:
            return self.file.truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def close(self) -> None:
        self.file.close()
        super().close()


@contextmanager
def write_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open a new HDF5 file for writing, and close it at the end of the block.

    Raises:
        OSError: the disk is full. h5py alone would crash or raise something else.
    """
    with _LateErrorFile(path) as disk:
        try:
            with h5py.File(disk, "w", track_order=False) as file:
                yield file
        finally:
            if disk.error:
                raise disk.error


@contextmanager
def read_hdf5(path: Path, fault: str, remedy: str) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading, in a block that reads and checks it.

    Raises:
        InputError: the file is absent or damaged. The line is `path: fault (reason); remedy`, where the reason is
            what h5py or a check in the block raised.
    """
    try:
        with h5py.File(path, "r") as file:
            yield file
    except InputError:
        raise
    except (OSError, LookupError, TypeError, ValueError, RuntimeError) as error:  # h5py raises all of them
        reraise_shortage(error)
        reason = " ".join(str(error).split())
        if len(reason) > MAX_REASON_LENGTH:
            reason = reason[:MAX_REASON_LENGTH] + "..."
        raise InputError(f"{path}: {fault} ({reason}); {remedy}") from None


def plain_attributes(file: h5py.File) -> dict[str, Any]:
    """Return the file's attributes as plain Python values."""
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in file.attrs.items()}


def check_datasets(datasets: Mapping[str, h5py.Dataset], kind: Literal["u", "i"] = "u") -> None:
    """Check that the datasets hold (un)signed integers, are all as long, and are really stored in the file.

    A file of a kilobyte may declare 2^31 lines. Only what lies in the file may take memory.

    Raises:
        ValueError: says which dataset is at fault and why.
        TypeError: a name stands for something else than a dataset.
    """
    lengths = set()
    for name, array in datasets.items():
        if not isinstance(array, h5py.Dataset):
            raise TypeError(f"{name} is no array")
        if array.dtype.kind != kind or not array.ndim or array.is_virtual or array.external:
            raise ValueError(f"{name} is no plain array of {INTEGERS[kind]}")
        if array.chunks is None:
            stored = array.id.get_storage_size() == array.size * array.dtype.itemsize
        else:
            if prod(array.chunks) * array.dtype.itemsize > MAX_CHUNK_BYTES:
                raise ValueError(f"{name} has chunks of {array.chunks}")
            chunks = prod(-(-side // chunk) for side, chunk in zip(array.shape, array.chunks, strict=True))
            stored = array.id.get_num_chunks() == chunks
        if not stored or not array.size:
            raise ValueError(f"{name} declares {array.shape} and does not hold them")
        lengths.add(array.shape[0])
    if len(lengths) > 1:
        raise ValueError(f"{', '.join(datasets)} have different lengths")
