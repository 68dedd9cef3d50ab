"""HDF5 on a disk that may be full, and from files that may hold less than they declare."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path

import h5py

LONGEST = 300
MAX_CHUNK = 2**26
"""Bytes of one chunk, which is unpacked whole; ours have 1.3 million at 32 characters."""


class _Disk(io.RawIOBase):
    """A file that takes everything and keeps the first error for later: HDF5 crashes if closing a file fails."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("w+b", buffering=0)
        self.error: OSError | None = None

    def write(self, data: object) -> int:
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        place = self.file.tell()
        done = 0
        try:
            while self.error is None and done < len(view):
                done += self.file.write(view[done:])
        except OSError as error:
            self.error = error
        self.file.seek(place + len(view))
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
    """An open HDF5 file to be written, closed at the end of the block.

    Raises:
        OSError: the disk is full, whatever HDF5 made of that.
    """
    with _Disk(path) as disk:
        try:
            with h5py.File(disk, "w", track_order=False) as file:
                yield file
        finally:
            if disk.error:
                raise disk.error


def in_line(error: Exception) -> str:
    """What h5py says, which may be of several lines, in one that is not too long."""
    text = " ".join(str(error).split())
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


def require_stored(arrays: Mapping[str, h5py.Dataset]) -> None:
    """Refuse arrays of different lengths, of anything but unsigned integers, or declared and not stored.

    A file of a kilobyte may declare 2^31 lines; what is asked of memory must lie in the file.

    Raises:
        ValueError: says which array and why.
        TypeError: a name stands for something else than an array.
    """
    lengths = set()
    for name, array in arrays.items():
        if not isinstance(array, h5py.Dataset):
            raise TypeError(f"{name} is no array")
        if array.dtype.kind != "u" or not array.ndim or array.is_virtual or array.external:
            raise ValueError(f"{name} is no plain array of unsigned integers")
        if array.chunks is None:
            whole = array.id.get_storage_size() == array.size * array.dtype.itemsize
        else:
            if prod(array.chunks) * array.dtype.itemsize > MAX_CHUNK:
                raise ValueError(f"{name} has chunks of {array.chunks}")
            chunks = prod(-(-side // chunk) for side, chunk in zip(array.shape, array.chunks, strict=True))
            whole = array.id.get_num_chunks() == chunks
        if not whole or not array.size:
            raise ValueError(f"{name} declares {array.shape} and does not hold them")
        lengths.add(array.shape[0])
    if len(lengths) > 1:
        raise ValueError(f"{', '.join(arrays)} have different lengths")
