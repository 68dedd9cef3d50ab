"""A line of bars that tests draw: pairs of columns and rows that are known to the pixel."""

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 84, 600
BARS = tuple(range(30, 560, 30))
"""Left edges of the bars, each 9 pixels wide."""
TOP, BOTTOM = 6, 78
"""The bars fill 24 of 28 parts of the height, as EMNIST's characters do."""


def draw_bars(paper: int = 255, ink: int = 0) -> np.ndarray:
    """Bars with a crossbar each, so that the rows differ."""
    values = np.full((HEIGHT, WIDTH), paper, dtype=np.uint8)
    for left in BARS:
        values[TOP:BOTTOM, left : left + 9] = ink
        values[30:39, left : left + 18] = ink
    return values


def picture(values: np.ndarray) -> Image.Image:
    """Values as a grey picture."""
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


BARS_INK = draw_bars() == 0
