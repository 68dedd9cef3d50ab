"""Training and validation lines for Lightning."""

import math

import numpy as np
import pytorch_lightning as pl
from torch.utils.data import DataLoader

from pipeline.data.loading.batches import Batch, LineDataset, WidthBatches, line_loader
from pipeline.data.loading.line_augmentation import LineAugmentation
from pipeline.data.loading.streaming import StreamingBatches, StreamingLines
from pipeline.data.storage.lines import Lines


class LinesDataModule(pl.LightningDataModule):
    """Training and validation lines of one experiment.

    With `by_width`, lines of similar width share a batch, which wastes little on background. But batches of only long
    or only short lines are poorer samples: where the loss includes the background, as cross-entropy does, they cost
    accuracy. Streaming lines are always batched by width. An epoch takes the stored lines `passes` times.
    """

    def __init__(
        self,
        train: Lines | StreamingLines,
        validation: Lines,
        batch_size: int,
        seed: int,
        *,
        by_width: bool = True,
        augmentation: LineAugmentation | None = None,
        passes: int = 1,
    ) -> None:
        super().__init__()
        self.passes = passes
        self.augmentation = augmentation
        self.by_width = by_width
        self.train, self.validation = train, validation
        self.batch_size = batch_size
        self.seed = seed

    @property
    def epoch_lines(self) -> int:
        """Number of lines that all devices together train on in an epoch."""
        return len(self.train) * (1 if isinstance(self.train, StreamingLines) else self.passes)

    @property
    def train_batches(self) -> int:
        """Number of batches that each device trains on in an epoch."""
        replicas = self.trainer.world_size if self.trainer else 1
        return math.ceil(math.ceil(self.epoch_lines / self.batch_size) / replicas)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the current epoch's batches; seed and epoch number alone determine them."""
        epoch = self.trainer.current_epoch if self.trainer else 0
        if isinstance(self.train, StreamingLines):
            batches = StreamingBatches(self.train, self.batch_size, self.seed, epoch, *self._replicas())
            return DataLoader(batches, batch_size=None)  # no workers: synthesis is far faster than a training step
        lines = LineDataset(self.train, self.augmentation, (self.seed, epoch))
        return self._loader(lines, np.random.default_rng([self.seed, epoch]), self.passes)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return all validation lines, sorted by width."""
        return self._loader(LineDataset(self.validation), None)

    def _loader(self, dataset: LineDataset, rng: np.random.Generator | None, passes: int = 1) -> DataLoader[Batch]:
        pool = WidthBatches.POOL if self.by_width else 1
        widths = np.tile(dataset.lines.widths, passes)
        batches = WidthBatches(widths, self.batch_size, rng, *self._replicas(), pool)
        return line_loader(dataset, batches)

    def _replicas(self) -> tuple[int, int]:
        """Return the number of processes that train, and the rank of this one."""
        return (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
