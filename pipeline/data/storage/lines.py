"""Lines of handwriting in memory."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.data.storage.packed_images import PackedImages

NO_IMAGE = -1
"""Image number of spaces and punctuation, and of positions after the text."""


@dataclass(frozen=True)
class Lines:
    """N lines: a part of a data set, a block of it, or new lines of a streaming training."""

    images: NDArray[np.uint8] | PackedImages
    """(N, H, W) uint8, 0 background to 255 ink; `PackedImages` if read from a file."""
    texts: list[str]
    """Text of each line, at most T characters."""
    widths: NDArray[np.uint16]
    """(N,) width of each line in pixels: right edge of its last character's cell, or of its picture.

    Beyond it the image is background.
    """
    starts: NDArray[np.uint16]
    """(N, T) left edge of each character's cell in pixels, 0 after the text and where it is not known."""
    image_numbers: NDArray[np.int32]
    """(N, T) which image of `Characters` each character is, or `NO_IMAGE`."""
    groups: list[str] = field(default_factory=list)
    """The page or writer of each line; empty for synthetic lines, which are independent of each other."""
    pages: list[str] = field(default_factory=list)
    """The page or file that each line comes from; empty where it is not known."""

    @property
    def are_synthetic(self) -> bool:
        """Whether the lines are made of characters whose cells and images are known."""
        return not self.groups

    def __len__(self) -> int:
        return len(self.texts)
