"""Streaming lines: training lines that are synthesized during the training, so that none is seen twice."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import IterableDataset

from pipeline.data.loading.augmentation import Augmentation
from pipeline.data.loading.batches import Batch, LineDataset, WidthBatches
from pipeline.data.storage.characters import Characters, read_characters
from pipeline.data.storage.corpus import read_corpus
from pipeline.data.storage.lines import Lines
from pipeline.data.synthesis.renderer import LineRenderer
from pipeline.data.synthesis.texts import TextSampler
from pipeline.settings.augmentation import AugmentationSettings, StreamingSettings
from pipeline.settings.lines import LinesSettings

CURRICULUM_START = 0.25
"""Fraction of the maximum text length that a curriculum begins with."""


class StreamingLines:
    """An endless supply of lines with the settings of a data set; `len` is the number of lines of an epoch."""

    def __init__(
        self, words: Sequence[str], characters: Characters, lines: LinesSettings, settings: StreamingSettings
    ) -> None:
        is_plain = settings.variety == AugmentationSettings()
        self.settings = settings
        self.renderer = LineRenderer(characters, lines, None if is_plain else Augmentation(settings.variety))
        self.texts = TextSampler(words, lines.max_characters)

    def __len__(self) -> int:
        return self.settings.lines_per_epoch

    @classmethod
    def from_files(
        cls, characters: Path, corpus: Path, attributes: Mapping[str, Any], settings: StreamingSettings
    ) -> "StreamingLines":
        """Use the training parts of both files. `attributes` of a file of lines contain its `LinesSettings`.

        Raises:
            InputError: a file is absent or damaged, or no word is short enough for a line.
        """
        lines = LinesSettings(**{name: attributes[name] for name in LinesSettings.model_fields})
        return cls(read_corpus(corpus, "train"), read_characters(characters, "train"), lines, settings)

    def draw(self, count: int, rng: np.random.Generator, lines_seen: int) -> Lines:
        """Synthesize `count` lines for a training that has seen `lines_seen` lines."""
        return self.renderer.render(self.texts.sample(count, rng, self.max_characters(lines_seen)), rng)

    def max_characters(self, lines_seen: int) -> int:
        """Return the maximum length of texts of several words, which grows with a curriculum (Bengio et al. 2009)."""
        final = self.texts.max_characters
        if self.settings.curriculum is None:
            return final
        progress = min(1.0, lines_seen / self.settings.curriculum)
        return round(final * (CURRICULUM_START + (1 - CURRICULUM_START) * progress))


class StreamingBatches(IterableDataset[Batch]):
    """The batches of one epoch. A pool of `WidthBatches.POOL` batches is synthesized at a time and sorted by width.

    Seed, epoch and the pool's number alone determine its lines, so that a resumed training sees the lines it would have
    seen. With n replicas, each takes every n-th pool, and all shuffle their batches in the same order: batches of the
    same step have similar widths, and no replica waits for another's wider lines.
    """

    def __init__(
        self, lines: StreamingLines, batch_size: int, seed: int, epoch: int, replicas: int = 1, rank: int = 0
    ) -> None:
        self.lines = lines
        self.batch_size = batch_size
        self.seed, self.epoch = seed, epoch
        self.replicas, self.rank = replicas, rank

    def __len__(self) -> int:
        return -(-len(self.lines) // (self.batch_size * self.replicas))

    def __iter__(self) -> Iterator[Batch]:
        for first in range(0, len(self), WidthBatches.POOL):
            batches = min(WidthBatches.POOL, len(self) - first)
            pool = (first // WidthBatches.POOL) * self.replicas + self.rank
            rng = np.random.default_rng([self.seed, self.epoch, pool])
            lines_seen = self.epoch * len(self.lines) + first * self.batch_size * self.replicas
            lines = self.lines.draw(batches * self.batch_size, rng, lines_seen)
            dataset = LineDataset(lines)
            shared = np.random.default_rng([self.seed, self.epoch, first, self.replicas]) if self.replicas > 1 else None
            for indices in WidthBatches(lines.widths, self.batch_size, rng, order_rng=shared):
                yield dataset.__getitems__(indices)
