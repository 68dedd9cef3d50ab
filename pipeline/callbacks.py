"""What happens beside the steps of a training."""

import math
from collections.abc import Callable

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint

from pipeline.errors import InputError
from pipeline.hardware import limit_memory

Row = dict[str, float]
OnEpoch = Callable[[int, Row], None]


class History(Checkpoint):
    """Collects what was logged in each epoch, and hands it on.

    It is a `Checkpoint` because Lightning runs only those after the module has logged the epoch's rates.
    """

    def __init__(self, on_epoch: OnEpoch) -> None:
        self.rows: list[Row] = []
        self.on_epoch = on_epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """One row: epoch (from 0), optimizer steps so far, learning rate, then every logged value."""
        logged = {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        rate = float(trainer.optimizers[0].param_groups[0]["lr"])
        row = {"step": float(trainer.global_step), "learning_rate": rate, **logged}
        self.rows.append(row)
        self.on_epoch(trainer.current_epoch, row)


class StopOnNonFinite(pl.Callback):
    """Ends the training at the first step whose loss is not a number, before it spoils the weights."""

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: torch.Tensor) -> None:
        """Check the loss; costs a synchronization on a GPU."""
        value = float(loss.detach())
        if not math.isfinite(value):
            raise InputError(
                f"training: the loss is {value} at step {trainer.global_step} of epoch {trainer.current_epoch}; "
                f"lower training.learning_rate or set training.trainer.gradient_clip_val"
            )


class LimitMemory(pl.Callback):
    """Keeps the memory of a training on a CPU bounded."""

    def on_train_batch_end(self, *_: object) -> None:
        """Give back what gaps have piled up."""
        limit_memory()

    def on_validation_batch_end(self, *_: object) -> None:
        """As after a training batch."""
        limit_memory()
