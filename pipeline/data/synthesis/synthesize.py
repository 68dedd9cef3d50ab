"""Synthetic lines of handwriting from single characters and running text.

The recipe is that of the lecture's lab (Full Stack Deep Learning 2021, lab 3), with two corrections: ink that overlaps
saturates instead of wrapping around, and no random draw is repeated until it fits.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.data.storage.characters import Characters
from pipeline.data.storage.lines import Lines
from pipeline.data.synthesis.renderer import LineRenderer
from pipeline.data.synthesis.texts import TextSampler
from pipeline.settings.lines import LinesSettings

BLOCK = 1000
"""Lines synthesized together. It bounds the memory; another value gives other lines."""


def synthesize(
    words: Sequence[str], characters: Characters, settings: LinesSettings, count: int, rng: np.random.Generator
) -> Iterator[Lines]:
    """Yield `count` lines in blocks. The same arguments and generator state give the same bytes.

    Raises:
        InputError: no word is short enough for a line, or a character of the text has no image.
    """
    texts, renderer = TextSampler(words, settings.max_characters), LineRenderer(characters, settings)
    for start in range(0, count, BLOCK):
        yield renderer.render(texts.sample(min(BLOCK, count - start), rng), rng)
