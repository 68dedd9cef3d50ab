from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.data.storage import packed_images as packed
from pipeline.data.storage.packed_images import PackedImages

WIDTHS = np.array([5, 12, 1, 9, 12, 3], np.uint16)
CANVAS = 12
rng = np.random.default_rng(0)
IMAGES: NDArray[np.uint8] = rng.integers(1, 256, (len(WIDTHS), 28, CANVAS), dtype=np.uint8)
IMAGES[np.broadcast_to(np.arange(CANVAS) >= WIDTHS[:, None, None], IMAGES.shape)] = 0
slices = st.builds(slice, st.none() | st.integers(0, 14), st.none() | st.integers(0, 14))
lines = st.integers(-6, 5) | slices | st.lists(st.integers(-6, 5), min_size=1, max_size=9).map(np.array)


@pytest.fixture(scope="module", params=["memory", "file"])
def images(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> PackedImages:
    folder: Path = tmp_path_factory.mktemp("packed")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(packed, "MAX_MEMORY_BYTES", {"memory": 28 * 42, "file": 28 * 42 - 1}[request.param])
        made = PackedImages(WIDTHS, CANVAS, folder)
    assert (made._file is None) == (request.param == "memory")
    for start in (0, 4):
        made.append(IMAGES[start : start + 4])
    assert list(folder.iterdir()) == []  # the file has no name
    return made


@given(lines, st.none() | slices | st.integers(-28, 27), st.none() | slices | st.integers(-12, 11))
def test_it_is_indexed_like_an_array(images: PackedImages, line: object, row: object, column: object) -> None:
    key: tuple[object, ...] = (line,)
    if row is not None:
        key += (row,) if column is None else (row, column)
    # An array of lines is taken first, as NumPy would pair it with single rows and columns.
    expected = np.atleast_3d(IMAGES)[line]  # type: ignore[index]
    pixels = key[1:]
    expected = expected[pixels] if isinstance(line, int) else expected[(slice(None), *pixels)]
    np.testing.assert_array_equal(images[key if len(key) > 1 else line], expected)


def test_it_goes_for_an_array(images: PackedImages) -> None:
    assert images.shape == IMAGES.shape
    assert len(images) == len(IMAGES)
    np.testing.assert_array_equal(np.asarray(images), IMAGES)
    np.testing.assert_array_equal(np.stack(list(images)), IMAGES)
    assert np.asarray(images).dtype == np.uint8


def test_what_is_taken_is_a_copy(images: PackedImages) -> None:
    images[0][:] = 7
    images[:2, :, :3][:] = 7
    np.testing.assert_array_equal(np.asarray(images), IMAGES)
