"""Batches of lines of similar width, cut to the widest line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from pipeline.data.loading.line_augmentation import LineAugmentation
from pipeline.data.storage.lines import Lines


@dataclass
class Batch:
    """B lines. Only `images` moves to the device."""

    images: Tensor
    """(B, 28, W) uint8, 0 background to 255 ink; W is the width of the widest line."""
    widths: list[int]
    """Width of each line in pixels; beyond it the image is background."""
    texts: list[str]
    """Text of each line."""
    indices: list[int]
    """Index of each line in its part of the data set."""

    def to(self, device: torch.device, non_blocking: bool = True) -> "Batch":
        """Return the batch with its images on `device`; Lightning calls this."""
        return Batch(self.images.to(device, non_blocking=non_blocking), self.widths, self.texts, self.indices)


class LineDataset(Dataset[Batch]):
    """Lines in memory, from which PyTorch's loader takes a batch at a time.

    With `augmentation`, each batch is changed at random; `seeds` and its indices alone determine how.
    Indices beyond the last line begin again with the first one.
    """

    def __init__(self, lines: Lines, augmentation: LineAugmentation | None = None, seeds: Sequence[int] = ()) -> None:
        self.lines = lines
        self.augmentation, self.seeds = augmentation, seeds

    def __len__(self) -> int:
        return len(self.lines)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return the batch of these lines, in this order."""
        rows = np.asarray(indices) % len(self.lines)
        widths = self.lines.widths[rows]
        # In one step: slicing first would leave rows with large strides, which are slow to gather.
        images = self.lines.images[rows, :, : int(widths.max())]
        if self.augmentation:
            rng = np.random.default_rng([*self.seeds, *indices])
            drawn = rng.integers(len(self.lines), size=len(rows))
            # Unpacked only where they are used.
            others = self.lines.images[drawn, :, : images.shape[2]] if self.augmentation.settings.neighbours else None
            images, widths = self.augmentation.augment(images, widths.astype(np.int64), others, rng)
        return Batch(torch.from_numpy(images), widths.tolist(), [self.lines.texts[i] for i in rows], rows.tolist())


class WidthBatches(Sampler[list[int]]):
    """Batches of the indices of lines with similar widths.

    Without `rng`, all lines are sorted by width. With it, lines are shuffled and divided into pools of `pool` batches;
    each pool is sorted by width and cut into batches; then the batches are shuffled (with `order_rng` if given). So a
    pool of one batch gives batches of random lines. With n replicas, each takes every n-th batch, and the batches of
    the same step have similar widths: no replica waits for another's wider lines.
    """

    POOL = 20

    def __init__(
        self,
        widths: NDArray[np.uint16],
        batch_size: int,
        rng: np.random.Generator | None = None,
        replicas: int = 1,
        rank: int = 0,
        pool: int = POOL,
        order_rng: np.random.Generator | None = None,
    ) -> None:
        lines = np.arange(len(widths)) if rng is None else rng.permutation(len(widths))
        size = len(widths) if rng is None else pool * batch_size
        pools = [lines[i : i + size] for i in range(0, len(lines), size)]
        by_width = np.concatenate([part[np.argsort(widths[part], kind="stable")] for part in pools])
        batches = [by_width[i : i + batch_size].tolist() for i in range(0, len(by_width), batch_size)]
        if rng is not None:
            steps = [batches[i : i + replicas] for i in range(0, len(batches), replicas)]
            whole = len(batches) // replicas  # the last step stays the last if it has too few batches
            shuffled = [*(order_rng or rng).permutation(whole), *range(whole, len(steps))]
            batches = [batch for i in shuffled for batch in steps[i]]
        # All replicas must take the same number of steps, so the last ones may repeat the first batches.
        own = range(rank, -(-len(batches) // replicas) * replicas, replicas)
        self.batches = [batches[i % len(batches)] for i in own]

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def line_loader(dataset: LineDataset, batches: Sampler[list[int]]) -> DataLoader[Batch]:
    """Return a loader without worker processes, as a batch costs far less than a training step."""
    return DataLoader(dataset, batch_sampler=batches, collate_fn=lambda batch: batch)
