import gzip
import io
import struct
import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.common.errors import InputError
from pipeline.data.sources import idx as module
from pipeline.data.sources.idx import MAX_ITEMS, read_idx
from tests.archives import idx, outcome

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
LABELS = np.arange(5, dtype=np.uint8)


def read(data: bytes, dimensions: int) -> np.ndarray:
    return read_idx(io.BytesIO(data), dimensions=dimensions)


def header(*shape: int, magic: int | None = None) -> bytes:
    return struct.pack(f">I{len(shape)}I", 0x0800 | len(shape) if magic is None else magic, *shape)


@pytest.mark.parametrize("array", [IMAGES, LABELS])
@pytest.mark.parametrize("pack", [gzip.compress, bytes])
@pytest.mark.parametrize("block", [1, 100, 28 * 28, 1 << 20])
def test_reads_what_was_stored(
    array: np.ndarray, pack: Callable[[bytes], bytes], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    result = read(pack(idx(array)), array.ndim)
    assert result.dtype == np.uint8
    assert result.flags.writeable
    np.testing.assert_array_equal(result, array)


@pytest.mark.parametrize(
    ("content", "dimensions", "fault"),
    [
        (b"", 1, "ends within the IDX header"),
        (idx(LABELS)[:7], 1, "ends within the IDX header"),
        (idx(IMAGES), 1, "begins with 00000803 instead of 00000801"),
        (idx(LABELS) + b"padding.", 3, "begins with 00000801 instead of 00000803"),
        (header(5, magic=0x0D01) + bytes(20), 1, "begins with 00000d01"),
        (header(5, magic=0x01000801) + bytes(5), 1, "begins with 01000801"),
        (header(0), 1, "declares 0 items"),
        (header(2**31), 1, "declares 2147483648 items"),
        (header(MAX_ITEMS + 1, 28, 28), 3, f"declares {MAX_ITEMS + 1} items"),
        (header(2, 32, 28) + bytes(2 * 32 * 28), 3, "items of 32x28 pixels instead of 28x28"),
        (header(1, 2**31, 2**31), 3, "items of 2147483648x2147483648 pixels"),
        (idx(LABELS)[:-1], 1, "4 bytes of data where its header declares 5"),
        (header(MAX_ITEMS, 28, 28) + bytes(9), 3, "9 bytes of data where its header declares 1568000000"),
        (idx(LABELS) + b"\0", 1, "more data than the 5 bytes"),
        (idx(IMAGES) + bytes(10_000), 3, "more data than the 3920 bytes"),
    ],
)
def test_faulty_idx_is_refused(content: bytes, dimensions: int, fault: str) -> None:
    for data in (content, gzip.compress(content)):
        with pytest.raises(InputError, match=fault):
            read(data, dimensions)


def test_memory_follows_what_arrives_not_what_is_declared() -> None:
    data = gzip.compress(header(MAX_ITEMS, 28, 28) + bytes(100))
    tracemalloc.start()
    try:
        message = outcome(lambda: read(data, 3))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(message, str)
    assert peak < 16 * module.BLOCK


def flip(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 0xFF
    return bytes(changed)


COMPRESSED = gzip.compress(idx(IMAGES), mtime=0)


@pytest.mark.parametrize(
    "data",
    [
        COMPRESSED[:5],
        COMPRESSED[: len(COMPRESSED) // 2],
        COMPRESSED[:-1],
        flip(COMPRESSED, -8),  # the checksum
        flip(COMPRESSED, -1),  # the size
        flip(COMPRESSED, 2),  # the compression method
        flip(COMPRESSED, 10),  # the first block's header
        COMPRESSED + b"more",
    ],
)
def test_damaged_gzip_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"^is damaged \(.+\)$"):
        read(data, 3)


@given(st.binary(max_size=200), st.sampled_from([1, 3]), st.booleans())
def test_random_bytes_give_only_input_errors(data: bytes, dimensions: int, compress: bool) -> None:
    with pytest.raises(InputError):
        read(gzip.compress(b"\xff" + data, 1) if compress else data, dimensions)


@given(
    st.lists(st.tuples(st.integers(0, len(COMPRESSED) - 1), st.integers(0, 255)), max_size=3),
    st.integers(0, len(COMPRESSED)),
)
def test_changed_gzip_gives_the_images_or_an_input_error(changes: list[tuple[int, int]], end: int) -> None:
    data = bytearray(COMPRESSED)
    for position, value in changes:
        data[position] = value
    for variant in (bytes(data), bytes(data[:end])):
        result = outcome(partial(read, variant, 3))
        if not isinstance(result, str):  # what changed was the gzip header's date, flags or file name
            np.testing.assert_array_equal(result, IMAGES)


@given(st.integers(0, 15), st.integers(0, 255), st.sampled_from([1, 3]))
def test_changed_header_gives_an_array_or_an_input_error(position: int, value: int, dimensions: int) -> None:
    array = IMAGES if dimensions == 3 else LABELS
    data = bytearray(idx(array))
    position %= 4 + 4 * dimensions
    same = data[position] == value
    data[position] = value
    result = outcome(lambda: read(gzip.compress(bytes(data), 1), dimensions))
    if isinstance(result, str):
        assert not same
    else:
        assert same
        np.testing.assert_array_equal(result, array)
