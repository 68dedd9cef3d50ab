"""Lines in memory."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Lines:
    """N lines: a whole part of a data set, or a block on its way to a file."""

    images: NDArray[np.uint8]
    """(N, 28, W), 0 paper to 255 ink."""
    texts: list[str]
    """What each line says."""
    widths: NDArray[np.uint16]
    """(N,) true widths in pixels: the right edge of the last character's cell."""
    starts: NDArray[np.uint16]
    """(N, T) left edge of each character's cell in pixels, 0 beyond the text."""

    def __len__(self) -> int:
        return len(self.texts)
