"""Lines, with all that is known of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Images(Protocol):
    """What is used of an array (N, 28, W) of pixels."""

    @property
    def shape(self) -> tuple[int, ...]:
        """N, 28, W."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...


@dataclass(frozen=True)
class Lines:
    """N lines: a whole part of a data set, or a block on its way to a file."""

    images: Images
    """(N, 28, W) uint8, 0 paper to 255 ink: an array, or the `PackedImages` of a part read from a file."""
    texts: list[str]
    """What each line says."""
    widths: NDArray[np.uint16]
    """(N,) true widths in pixels: the right edge of the last character's cell."""
    starts: NDArray[np.uint16]
    """(N, T) left edge of each character's cell in pixels, 0 beyond the text."""

    def __len__(self) -> int:
        return len(self.texts)
