"""IDX, the file format of MNIST: a big-endian header, then bytes; plain or compressed by gzip."""

import gzip
import io
import struct
import zlib
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.common.errors import InputError
from pipeline.common.geometry import CELL

MAX_ITEMS = 2_000_000
"""Most images or labels that a header may declare: more than twice as many as EMNIST has."""
BLOCK = 1 << 20
UNSIGNED_BYTE = 0x08
GZIP = b"\x1f\x8b"


def read_idx(stream: IO[bytes], *, dimensions: int) -> NDArray[np.uint8]:
    """Read IDX of uint8: labels (N,) if `dimensions` is 1, images (N, 28, 28) as stored if it is 3. Closes the stream.

    Memory grows with the bytes that arrive, not with the size that the header declares.

    Raises:
        InputError: the data is damaged, incomplete, or of another type or shape.
    """
    with io.BufferedReader(cast(io.RawIOBase, stream)) as buffered:
        if buffered.peek(2)[:2] != GZIP:
            return _read_array(buffered, dimensions)
        try:
            with gzip.GzipFile(fileobj=buffered, mode="rb") as file:
                return _read_array(file, dimensions)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"is damaged ({str(error) or 'it ends too early'})") from None


def _read_array(file: io.BufferedIOBase, dimensions: int) -> NDArray[np.uint8]:
    shape = _read_shape(file, dimensions)
    size = int(np.prod(shape))
    data = bytearray()
    # It asks for one byte more: at the file's end, gzip and zip check their checksums.
    while block := file.read(min(BLOCK, size - len(data) + 1)):
        data += block
        if len(data) > size:
            raise InputError(f"has more data than the {size} bytes that its header declares")
    if len(data) < size:
        raise InputError(f"has {len(data)} bytes of data where its header declares {size}")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def _read_shape(file: io.BufferedIOBase, dimensions: int) -> tuple[int, ...]:
    layout = struct.Struct(f">HBB{dimensions}I")
    header = file.read(layout.size)
    if len(header) < layout.size:
        raise InputError("ends within the IDX header")
    zero, kind, declared, *shape = layout.unpack(header)
    if (zero, kind, declared) != (0, UNSIGNED_BYTE, dimensions):
        raise InputError(f"begins with {header[:4].hex()} instead of 0000080{dimensions}, IDX of unsigned bytes")
    if not 1 <= shape[0] <= MAX_ITEMS:
        raise InputError(f"declares {shape[0]} items; between 1 and {MAX_ITEMS} can be read")
    if any(side != CELL for side in shape[1:]):
        sides = "x".join(map(str, shape[1:]))
        raise InputError(f"declares items of {sides} pixels instead of {CELL}x{CELL}")
    return tuple(shape)
