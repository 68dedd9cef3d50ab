"""Training lines that are synthesized as they are needed."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, IterableDataset

from pipeline.data.loading.augmentation import Augmentation
from pipeline.data.loading.batches import Batch, LineDataset, WidthBatches
from pipeline.data.storage.characters import Characters, read_characters
from pipeline.data.storage.corpus import read_corpus
from pipeline.data.storage.lines import Lines
from pipeline.data.synthesis.lines import Pen, TextSampler
from pipeline.settings.augmentation import AugmentationSettings, StreamingSettings
from pipeline.settings.lines import LinesSettings

SHORTEST = 0.25
"""Share of the greatest length that a curriculum begins with."""


class StreamingLines:
    """Lines of a data set's kind without an end; `len` is the number that makes an epoch."""

    def __init__(
        self, words: Sequence[str], characters: Characters, lines: LinesSettings, endless: StreamingSettings
    ) -> None:
        variety = None if endless.variety == AugmentationSettings() else Augmentation(endless.variety)
        self.settings = endless
        self.pen = Pen(characters, lines, variety)
        self.draw_texts = TextSampler(words, lines.max_characters)

    def __len__(self) -> int:
        return self.settings.lines_per_epoch

    @classmethod
    def from_files(
        cls, characters: Path, corpus: Path, attributes: Mapping[str, Any], endless: StreamingSettings
    ) -> "StreamingLines":
        """From the training characters and the training text; a line file's `attributes` say of what kind.

        Raises:
            InputError: a file is absent or damaged, or a character of the text has no image.
        """
        lines = LinesSettings(**{name: attributes[name] for name in LinesSettings.model_fields})
        return cls(read_corpus(corpus, "train"), read_characters(characters, "train"), lines, endless)

    def draw(self, count: int, rng: np.random.Generator, seen: int) -> Lines:
        """New lines, for a training that has seen so many."""
        return self.pen.write(self.draw_texts(count, rng, self.longest(seen)), rng)

    def longest(self, seen: int) -> int:
        """Characters that the texts of several words have at most, by the curriculum (Bengio et al. 2009)."""
        whole = self.draw_texts.max_characters
        if self.settings.curriculum is None:
            return whole
        grown = min(1.0, seen / self.settings.curriculum)
        return round(whole * (SHORTEST + (1 - SHORTEST) * grown))


class StreamingBatches(IterableDataset[Batch]):
    """The batches of one epoch: `POOL` at a time are synthesized, and sorted by width as `WidthBatches` does.

    Seed, epoch and the number of the pool alone decide what a pool holds, so that an interrupted training
    goes on with the lines that it would have had. With several replicas each takes every n-th pool, and all of them
    shuffle the batches of theirs alike: no replica waits for another's wider lines.
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
            seen = self.epoch * len(self.lines) + first * self.batch_size * self.replicas
            drawn = self.lines.draw(batches * self.batch_size, rng, seen)
            dataset = LineDataset(drawn)
            alike = np.random.default_rng([self.seed, self.epoch, first, self.replicas]) if self.replicas > 1 else None
            for indices in WidthBatches(drawn.widths, self.batch_size, rng, order=alike):
                yield dataset.__getitems__(indices)


def streaming_loader(batches: StreamingBatches) -> DataLoader[Batch]:
    """A loader of those batches; no worker processes, as synthesis takes far less time than a training step."""
    return DataLoader(batches, batch_size=None)
