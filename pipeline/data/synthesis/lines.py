"""Lines of handwriting made from single characters and running text.

The recipe is the lecture's (Full Stack Deep Learning 2021, lab 3), without its faults: pixels that
overlap saturate instead of wrapping around, and no draw is retried until it happens to work.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.common import vocabulary
from pipeline.common.errors import InputError
from pipeline.common.geometry import CELL
from pipeline.data.storage.characters import Characters
from pipeline.data.storage.lines import Lines
from pipeline.data.synthesis.compose import place
from pipeline.settings.lines import LinesSettings

BLOCK = 1000
"""Lines drawn at a time; bounds the memory, and is part of what the random streams depend on."""


def synthesize(
    words: Sequence[str],
    characters: Characters,
    settings: LinesSettings,
    count: int,
    rng: np.random.Generator,
) -> Iterator[Lines]:
    """Yield `count` lines in blocks; the same arguments and generator state give the same bytes.

    Raises:
        InputError: no word is short enough for a line, or a character of the text has no image.
    """
    draw_texts = TextSampler(words, settings.max_characters)
    pen = Pen(characters, settings)
    for start in range(0, count, BLOCK):
        texts = draw_texts(min(BLOCK, count - start), rng)
        yield pen.write(texts, rng)


class TextSampler:
    """Draws texts from running words: a random first word, then an end among all that still fit.

    Words have no space in them, and those that are longer than a line never begin one.
    """

    def __init__(self, words: Sequence[str], max_characters: int) -> None:
        self.max_characters = max_characters
        self.text = " ".join(words)
        spaces = np.flatnonzero(np.frombuffer(self.text.encode("latin-1", "replace"), dtype=np.uint8) == ord(" "))
        # One before the text and one after as well, so that word k stands between spaces k and k + 1.
        self.spaces = np.concatenate(([-1], spaces, [len(self.text)]))
        self.firsts = np.flatnonzero(np.diff(self.spaces) <= max_characters + 1)
        if not words or not self.firsts.size:
            raise InputError(f"lines: no word of the corpus has at most {max_characters} characters; raise max_length")

    def __call__(self, count: int, rng: np.random.Generator, longest: int | None = None) -> list[str]:
        """Draw `count` texts of one word or more; of more only where they have at most `longest` characters."""
        firsts = self.firsts[rng.integers(len(self.firsts), size=count)]
        begins = self.spaces[firsts] + 1
        fits = begins + (self.max_characters if longest is None else min(longest, self.max_characters))
        last_spaces = np.maximum(np.searchsorted(self.spaces, fits, side="right") - 1, firsts + 1)
        ends = self.spaces[firsts + 1 + rng.integers(last_spaces - firsts)]
        return [self.text[i:j] for i, j in zip(begins.tolist(), ends.tolist(), strict=True)]


class Augmentation(Protocol):
    """What may be done to characters before they are placed, and to whole lines after."""

    def augment(
        self, glyphs: NDArray[np.uint8], lines: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Characters (N, 28, 28), of the lines with numbers (N,)."""

    def spoil(self, lines: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Lines (B, 28, W)."""


class Pen:
    """Writes texts with the images of one set of characters."""

    def __init__(self, characters: Characters, settings: LinesSettings, variety: Augmentation | None = None) -> None:
        self.settings = settings
        self.variety = variety
        self.images = characters.images
        self.by_class = np.argsort(characters.labels, kind="stable")
        self.counts = np.bincount(characters.labels, minlength=len(vocabulary.EMNIST_CHARACTERS))
        self.first_of_class = np.cumsum(self.counts) - self.counts

    def write(self, texts: Sequence[str], rng: np.random.Generator) -> Lines:
        """Draw one image per distinct character and line, place them, and return the lines."""
        codes = vocabulary.encode_padded(texts, self.settings.max_length)
        lengths = np.array([len(text) for text in texts])
        self._require_images(codes)
        hands = self.first_of_class + rng.integers(np.maximum(self.counts, 1), size=(len(texts), len(self.counts)))
        starts = self._starts(len(texts), rng)
        canvas = place(*self._glyphs(codes, hands, rng), starts)
        written = np.arange(self.settings.max_length) < lengths[:, None]
        widths = np.take_along_axis(starts, lengths[:, None] - 1, axis=1)[:, 0] + CELL
        return Lines(
            texts=list(texts),
            images=canvas if self.variety is None else self.variety.spoil(canvas, rng),
            starts=np.where(written, starts, 0).astype(np.uint16),
            widths=widths.astype(np.uint16),
        )

    def _require_images(self, codes: NDArray[np.uint8]) -> None:
        first = len(vocabulary.SPECIAL_TOKENS)
        used = np.bincount(codes.ravel(), minlength=vocabulary.NUM_CLASSES)[first : first + len(self.counts)]
        missing = [vocabulary.EMNIST_CHARACTERS[label] for label in np.flatnonzero((used > 0) & (self.counts == 0))]
        if missing:
            raise InputError(f"lines: the characters have no image of {', '.join(map(repr, missing))}")

    def _starts(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        settings = self.settings
        columns = settings.max_length - 1 if settings.overlap_per == "character" else 1
        overlaps = rng.uniform(settings.min_overlap, settings.max_overlap, size=(count, columns))
        advances = np.broadcast_to(CELL - (CELL * overlaps).astype(np.int64), (count, settings.max_length - 1))
        return np.concatenate((np.zeros((count, 1), np.int64), np.cumsum(advances, axis=1)), axis=1)

    def _glyphs(
        self, codes: NDArray[np.uint8], hands: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Images, and for each position (B, T) of the lines the number of its image, -1 where there is none."""
        labels = codes.astype(np.int64) - len(vocabulary.SPECIAL_TOKENS)
        has_ink = (labels >= 0) & (labels < len(self.counts))
        lines, _ = np.nonzero(has_ink)
        numbers = hands[lines, labels[has_ink]]
        chosen = np.full(codes.shape, -1)
        if self.variety is None:
            chosen[has_ink] = self.by_class[numbers]
            return self.images, chosen
        distinct, chosen[has_ink] = np.unique(lines * len(self.images) + numbers, return_inverse=True)
        lines, numbers = np.divmod(distinct, len(self.images))
        return self.variety.augment(self.images[self.by_class[numbers]], lines, rng), chosen
