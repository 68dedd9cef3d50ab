"""Images of lines without the background to the right of each line: less than half the bytes."""

import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.common.geometry import CELL

MAX_MEMORY_BYTES = 2**28
"""Pixels that a data set may keep in memory: about 20,000 lines of 32 characters. More go to a file."""


class PackedImages:
    """N images (H, W) uint8, of which only the columns up to each line's width are stored.

    It is indexed like an array (N, H, W): by a line, a slice or an array of lines, then by rows and columns of pixels.
    The result is always a copy. `append` adds lines in order. Above `MAX_MEMORY_BYTES` the pixels are in an unnamed
    temporary file in `folder`, so that memory does not grow with the data set.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, widths: NDArray[np.integer[Any]], image_width: int, folder: Path, height: int = CELL) -> None:
        self.widths = widths.astype(np.int64)
        self.shape = (len(widths), height, image_width)
        self._ends = np.cumsum(self.widths) * height
        size = int(self._ends[-1]) if len(widths) else 0
        self._appended = 0
        self._file = tempfile.TemporaryFile(dir=folder) if size > MAX_MEMORY_BYTES else None  # noqa: SIM115
        if self._file:
            weakref.finalize(self, self._file.close)
        self._memory = np.empty(0 if self._file else size, np.uint8)

    def __len__(self) -> int:
        return self.shape[0]

    def append(self, images: NDArray[np.uint8]) -> None:
        """Add the next lines, (n, H, W)."""
        for image in images:
            width = self.widths[self._appended]
            row = np.ascontiguousarray(image[:, :width]).reshape(-1)
            if self._file:
                self._file.write(row.data)
            else:
                end = self._ends[self._appended]
                self._memory[end - row.size : end] = row
            self._appended += 1

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        lines, *pixels = key if isinstance(key, tuple) else (key,)
        rows = np.arange(len(self))[lines]
        # Batches take columns from the left: then only these are unpacked.
        stop = pixels[1].indices(self.shape[2])[1] if len(pixels) == 2 and isinstance(pixels[1], slice) else None
        gathered = self._gather(np.atleast_1d(rows), self.shape[2] if stop is None else stop)
        within = (..., *pixels) if len(pixels) == 2 else (slice(None), *pixels)
        selected: NDArray[np.uint8] = gathered[within]
        return selected if np.ndim(rows) else np.asarray(selected[0])

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (self[line] for line in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or np.uint8, copy=False)

    def _gather(self, lines: NDArray[np.int64], image_width: int) -> NDArray[np.uint8]:
        """Unpack the first `image_width` columns of these lines."""
        images = np.zeros((len(lines), self.shape[1], image_width), np.uint8)
        for image, line in zip(images, lines, strict=True):
            width = self.widths[line]
            shown = min(int(width), image_width)
            image[:, :shown] = self._row(line).reshape(self.shape[1], width)[:, :shown]
        return images

    def _row(self, line: np.int64) -> NDArray[np.uint8]:
        size, end = self.widths[line] * self.shape[1], self._ends[line]
        if self._file is None:
            return self._memory[end - size : end]
        row = np.empty(size, np.uint8)
        self._file.seek(end - size)
        self._file.readinto(row.data)
        return row
