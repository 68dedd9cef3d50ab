"""A line for each epoch in the log of a training."""

import time
from datetime import timedelta

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from pipeline.common.progress import log


class EpochLog(Checkpoint):
    """Prints the losses, the CER and the speed of each epoch, for trainings without a progress bar.

    `lines` is the number of training lines in an epoch. It is a `Checkpoint` for the same reason as `History`.
    """

    def __init__(self, lines: int) -> None:
        self.lines = lines
        self._start = self._trained = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock for the speed of training."""
        self._trained = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print the line. The time left assumes that further epochs take as long; early stopping may end sooner."""
        values = trainer.callback_metrics  # on all devices: they may have to sum up together
        if not trainer.is_global_zero:
            return
        done, epochs = trainer.current_epoch + 1, trainer.max_epochs or 0
        left = timedelta(seconds=round((time.perf_counter() - self._start) * (epochs - done)))
        outlook = f", about {left} left" if done < epochs else ""
        log(
            f"epoch {done} of {epochs}: training loss {values['train_loss']:.4f}, "
            f"validation loss {values['val_loss']:.4f}, validation CER {values['val_cer']:.2%}, "
            f"{self.lines / (self._trained - self._start):.0f} lines/s{outlook}"
        )
