"""What happens beside the steps of a training."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint, EarlyStopping

from pipeline.errors import InputError
from pipeline.hardware import limit_memory

Row = dict[str, float]
OnEpoch = Callable[[int, Row], None]


class History(Checkpoint):
    """Collects what was logged in each epoch, hands it on, and counts the seconds of whole epochs.

    It is a `Checkpoint` because Lightning runs only those after the module has logged the epoch's rates.
    """

    def __init__(self, on_epoch: OnEpoch) -> None:
        self.rows: list[Row] = []
        self.seconds = 0.0
        self.on_epoch = on_epoch
        self._counted_until = time.perf_counter()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The first epoch of this process begins."""
        self._counted_until = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """One row: epoch (from 0), optimizer steps so far, learning rate, then every logged value."""
        logged = {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        rate = float(trainer.optimizers[0].param_groups[0]["lr"])
        row = {"step": float(trainer.global_step), "learning_rate": rate, **logged}
        self.rows.append(row)
        now = time.perf_counter()
        self.seconds += now - self._counted_until
        self._counted_until = now
        self.on_epoch(trainer.current_epoch, row)

    def state_dict(self) -> dict[str, Any]:
        """The rows and seconds so far, for an interrupted training to go on."""
        return {"rows": self.rows, "seconds": self.seconds}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on with the rows and seconds of an interrupted training."""
        self.rows, self.seconds = list(state_dict["rows"]), state_dict["seconds"]


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


class StopEarly(EarlyStopping):
    """Early stopping that a training remembers if it is interrupted after its last epoch."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop at once where the patience was at its end."""
        trainer.should_stop = self.wait_count >= self.patience


class RandomState(pl.Callback):
    """Lets an interrupted training go on with the random numbers that it would have had."""

    def state_dict(self) -> dict[str, Any]:
        """The state of PyTorch's generators, as after the epoch that is saved."""
        return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Put the generators back."""
        torch.set_rng_state(state_dict["cpu"])
        if state_dict["cuda"]:
            torch.cuda.set_rng_state_all(state_dict["cuda"])
