"""What happens beside the steps of a training."""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint, EarlyStopping

from pipeline.common.errors import InputError
from pipeline.data.loading.batches import Batch
from pipeline.runtime.memory import KeptMemory

Row = dict[str, float]
OnEpoch = Callable[[int, Row], None]
NAMED = 5
"""Lines that an error names."""


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

    def __init__(self, kept: Path | None = None) -> None:
        self.kept = kept
        """Where the weights after the last whole epoch are, if they outlive this process."""
        self._batch: Batch | None = None

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, _: int) -> None:
        """Remember the lines of the step."""
        self._batch = batch

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: torch.Tensor) -> None:
        """Check the loss; costs a synchronization on a GPU."""
        self._check(trainer, pl_module, loss, self._batch, "training")

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, *_: object
    ) -> None:
        """Check the loss of validation lines, before their epoch is kept."""
        self._check(trainer, pl_module, outputs, batch, "validation")

    def _check(
        self, trainer: pl.Trainer, module: pl.LightningModule, loss: torch.Tensor, batch: Batch | None, part: str
    ) -> None:
        value = float(loss.detach())
        if math.isfinite(value):
            return
        with trainer.precision_plugin.forward_context():
            named = f" on {name_lines(module, batch, part)}" if batch else ""
        kept = (
            f"; the weights after the last whole epoch are in {self.kept}" if self.kept and self.kept.exists() else ""
        )
        raise InputError(
            f"training: the loss is {value} at step {trainer.global_step} of epoch {trainer.current_epoch}{named}; "
            f"lower training.learning_rate or set training.trainer.gradient_clip_val{kept}"
        )


def name_lines(module: Any, batch: Batch, part: str) -> str:
    """The lines of a batch, by number and text, whose own loss is not a number; the batch if none is alone at fault."""
    recognizer = module.recognizer
    with torch.no_grad():
        logits, lengths = recognizer.logits(batch.images, batch.widths)
        losses = [
            float(recognizer.objective.loss(logits[i : i + 1], lengths[i : i + 1], batch.texts[i : i + 1]))
            for i in range(len(batch.texts))
        ]
    faulty = [i for i, loss in enumerate(losses) if not math.isfinite(loss)] or list(range(len(losses)))
    named = ", ".join(f"{batch.indices[i]} {batch.texts[i]!r}" for i in faulty[:NAMED])
    more = f" and {len(faulty) - NAMED} more" if len(faulty) > NAMED else ""
    return f"{len(faulty)} of {len(losses)} {part} lines in the batch: {named}{more}"


class LimitMemory(pl.Callback):
    """Keeps the memory of a training on a CPU bounded."""

    def __init__(self) -> None:
        self._kept = KeptMemory()

    def on_train_batch_end(self, *_: object) -> None:
        """Give back what gaps have piled up."""
        self._kept.bound()

    def on_validation_batch_end(self, *_: object) -> None:
        """As after a training batch."""
        self._kept.bound()


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
