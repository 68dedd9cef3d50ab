"""Batches of lines: those of like width together, cut to the widest of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from pipeline.data.storage.lines import Lines


@dataclass
class Batch:
    """B lines. Only `images` moves to the device; the rest is for the program."""

    images: Tensor
    """(B, 28, W) uint8, W the width of the widest line; what is cut off is blank paper."""
    widths: list[int]
    """True width of each line in pixels."""
    texts: list[str]
    """What each line says."""
    indices: list[int]
    """Number of each line in its part of the data set, from 0."""

    def to(self, device: torch.device, non_blocking: bool = True) -> "Batch":
        """The batch with its images on `device`; Lightning calls this."""
        return Batch(self.images.to(device, non_blocking=non_blocking), self.widths, self.texts, self.indices)


class LineDataset(Dataset[Batch]):
    """Lines in memory that are taken a batch at a time."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines

    def __len__(self) -> int:
        return len(self.lines)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """The batch of these lines, in this order."""
        rows = np.asarray(indices)
        widths = self.lines.widths[rows]
        # One step: of an array, slicing first would copy nothing, and then gather rows with large strides.
        images = self.lines.images[rows, :, : int(widths.max())]
        return Batch(torch.from_numpy(images), widths.tolist(), [self.lines.texts[i] for i in rows], rows.tolist())


class WidthBatches(Sampler[list[int]]):
    """Batches of lines of like width.

    With `rng` the lines are shuffled, sorted by width among `pool` batches at a time (so a pool of one batch
    has lines at random), and the batches shuffled again, by `order` if that is given; without it all lines are
    sorted. With several replicas each takes every n-th batch, and batches at the same step are of like width:
    no replica waits for another's wider lines.
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
        order: np.random.Generator | None = None,
    ) -> None:
        lines = np.arange(len(widths)) if rng is None else rng.permutation(len(widths))
        size = len(widths) if rng is None else pool * batch_size
        pools = [lines[i : i + size] for i in range(0, len(lines), size)]
        by_width = np.concatenate([part[np.argsort(widths[part], kind="stable")] for part in pools])
        batches = [by_width[i : i + batch_size].tolist() for i in range(0, len(by_width), batch_size)]
        if rng is not None:
            together = [batches[i : i + replicas] for i in range(0, len(batches), replicas)]
            whole = len(batches) // replicas  # a last one that is not stays the last
            shuffled = [*(order or rng).permutation(whole), *range(whole, len(together))]
            batches = [batch for i in shuffled for batch in together[i]]
        # Every replica must make the same number of steps, so the last ones may repeat the first batches.
        rounds = range(rank, -(-len(batches) // replicas) * replicas, replicas)
        self.batches = [batches[i % len(batches)] for i in rounds]

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def line_loader(lines: Lines, batches: Sampler[list[int]]) -> DataLoader[Batch]:
    """A loader of those batches; no worker processes, as a batch is one copy of pixels in memory."""
    return DataLoader(LineDataset(lines), batch_sampler=batches, collate_fn=lambda batch: batch)
