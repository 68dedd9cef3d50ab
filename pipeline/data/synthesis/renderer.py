"""Texts rendered as lines of handwriting."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.common.errors import InputError
from pipeline.common.geometry import CELL
from pipeline.common.vocabulary import EMNIST, EMNIST_CHARACTERS, FIRST
from pipeline.data.storage.characters import Characters
from pipeline.data.storage.lines import NO_IMAGE, Lines
from pipeline.data.synthesis.compose import compose_lines
from pipeline.settings.lines import LinesSettings


class Augmentation(Protocol):
    """Random changes to characters and lines; see `pipeline/data/loading/augmentation.py`."""

    def augment_characters(
        self, images: NDArray[np.uint8], lines: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Change characters (N, 28, 28) before they are placed; `lines` (N,) are the numbers of their lines."""

    def augment_lines(self, lines: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Change whole lines (B, 28, W)."""


class LineRenderer:
    """Renders texts with the images of one set of characters."""

    def __init__(
        self, characters: Characters, settings: LinesSettings, augmentation: Augmentation | None = None
    ) -> None:
        self.settings = settings
        self.augmentation = augmentation
        self.images = characters.images
        self.by_class = np.argsort(characters.labels, kind="stable")
        self.counts = np.bincount(characters.labels, minlength=len(EMNIST_CHARACTERS))
        self.first_of_class = np.cumsum(self.counts) - self.counts

    def render(self, texts: Sequence[str], rng: np.random.Generator) -> Lines:
        """Render each text as a line (28, 28 T).

        One image is drawn for each distinct character of a line and used wherever that character occurs in it.

        Raises:
            InputError: a character of the texts has no image.
        """
        codes = EMNIST.encode_padded(texts, self.settings.max_length)
        self._check_images(codes)
        # For each line and class, a position in `by_class`.
        choices = self.first_of_class + rng.integers(np.maximum(self.counts, 1), size=(len(texts), len(self.counts)))
        starts = self._draw_starts(len(texts), rng)
        characters, numbers, image_numbers = self._select_images(codes, choices, rng)
        images = compose_lines(characters, numbers, starts)
        lengths = np.array([len(text) for text in texts])[:, None]
        widths = np.take_along_axis(starts, lengths - 1, axis=1)[:, 0] + CELL
        return Lines(
            texts=list(texts),
            images=images if self.augmentation is None else self.augmentation.augment_lines(images, rng),
            starts=np.where(np.arange(self.settings.max_length) < lengths, starts, 0).astype(np.uint16),
            widths=widths.astype(np.uint16),
            image_numbers=image_numbers.astype(np.int32),
        )

    def _check_images(self, codes: NDArray[np.int64]) -> None:
        used = np.bincount(codes.ravel(), minlength=EMNIST.num_classes)[FIRST : FIRST + len(self.counts)]
        missing = [EMNIST_CHARACTERS[label] for label in np.flatnonzero((used > 0) & (self.counts == 0))]
        if missing:
            raise InputError(f"lines: the characters have no image of {', '.join(map(repr, missing))}")

    def _draw_starts(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the left edges of all cells of `count` lines, (B, T) in pixels."""
        settings = self.settings
        columns = settings.max_length - 1 if settings.overlap_per == "character" else 1
        overlaps = rng.uniform(settings.min_overlap, settings.max_overlap, size=(count, columns))
        advances = np.broadcast_to(CELL - (CELL * overlaps).astype(np.int64), (count, settings.max_length - 1))
        return np.concatenate((np.zeros((count, 1), np.int64), np.cumsum(advances, axis=1)), axis=1)

    def _select_images(
        self, codes: NDArray[np.int64], choices: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        """Return images (N, 28, 28), and for each position (B, T) its image's number, or `NO_IMAGE`.

        The numbers are those in the returned images and, once more, those in the set of characters, which differ where
        the returned images are augmented copies.
        """
        labels = codes - FIRST
        has_ink = (labels >= 0) & (labels < len(self.counts))
        lines, _ = np.nonzero(has_ink)
        chosen = choices[lines, labels[has_ink]]
        image_numbers = np.full(codes.shape, NO_IMAGE)
        image_numbers[has_ink] = self.by_class[chosen]
        if self.augmentation is None:
            return self.images, image_numbers, image_numbers
        numbers = np.full(codes.shape, NO_IMAGE)
        distinct, numbers[has_ink] = np.unique(lines * len(self.images) + chosen, return_inverse=True)
        lines, chosen = np.divmod(distinct, len(self.images))
        augmented = self.augmentation.augment_characters(self.images[self.by_class[chosen]], lines, rng)
        return augmented, numbers, image_numbers
