"""IDX, the file format of MNIST: a big-endian header, then bytes."""

import gzip
import struct
import zlib
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipeline.common.errors import InputError
from pipeline.common.geometry import CELL

MAX_ITEMS = 2_000_000
"""Most images or labels that a header may declare: more than twice as many as EMNIST has."""
BLOCK = 1 << 20
UNSIGNED_BYTE = 0x08


def read_idx(stream: BinaryIO, name: str, *, dimensions: int) -> NDArray[np.uint8]:
    """Read gzip-compressed IDX of uint8: labels (N,) if `dimensions` is 1, images (N, 28, 28) as stored if it is 3.

    Memory grows with the bytes that arrive, not with the size that the header declares.

    Raises:
        InputError: the data is damaged, incomplete, or of another type or shape; the line begins with `name`.
    """
    try:
        with gzip.GzipFile(fileobj=stream, mode="rb") as file:
            shape = _read_shape(file, name, dimensions)
            size = int(np.prod(shape))
            data = bytearray()
            while block := file.read(min(BLOCK, size - len(data) + 1)):
                data += block
                if len(data) > size:
                    raise InputError(f"{name}: more data than the {size} bytes that its header declares")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{name}: damaged or not gzip ({str(error) or 'it ends too early'})") from None
    if len(data) < size:
        raise InputError(f"{name}: {len(data)} bytes of data where its header declares {size}")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def _read_shape(file: gzip.GzipFile, name: str, dimensions: int) -> tuple[int, ...]:
    layout = struct.Struct(f">HBB{dimensions}I")
    header = file.read(layout.size)
    if len(header) < layout.size:
        raise InputError(f"{name}: ends within the IDX header")
    zero, kind, declared, *shape = layout.unpack(header)
    if (zero, kind, declared) != (0, UNSIGNED_BYTE, dimensions):
        raise InputError(
            f"{name}: begins with {header[:4].hex()} instead of 0000080{dimensions}, IDX of unsigned bytes"
        )
    if not 1 <= shape[0] <= MAX_ITEMS:
        raise InputError(f"{name}: declares {shape[0]} items; between 1 and {MAX_ITEMS} can be read")
    if any(side != CELL for side in shape[1:]):
        sides = "x".join(map(str, shape[1:]))
        raise InputError(f"{name}: declares items of {sides} pixels instead of {CELL}x{CELL}")
    return tuple(shape)
