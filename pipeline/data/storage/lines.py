"""Lines of handwriting in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Images(Protocol):
    """The part of NumPy's interface that users of images (N, 28, W) need."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, 28, W)."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...


@dataclass(frozen=True)
class Lines:
    """N lines: a part of a data set, a block of it, or new lines of a streaming training."""

    images: Images
    """(N, 28, W) uint8, 0 background to 255 ink: an array, or `PackedImages` if read from a file."""
    texts: list[str]
    """Text of each line, at most T characters."""
    widths: NDArray[np.uint16]
    """(N,) width of each line in pixels: right edge of its last character's cell. Beyond it the image is background."""
    starts: NDArray[np.uint16]
    """(N, T) left edge of each character's cell in pixels, 0 after the text."""

    def __len__(self) -> int:
        return len(self.texts)
