"""Lightning callbacks of every training."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint, EarlyStopping

from pipeline.common.errors import InputError
from pipeline.data.loading.batches import Batch
from pipeline.runtime.memory import MemoryTrimmer
from pipeline.training.resume import TrainingProgress

Row = dict[str, float]
OnEpoch = Callable[[int, Row], None]
"""Called with the number of an epoch that has ended, and its row of the history."""
MAX_NAMED_LINES = 5
"""How many lines an error message names."""


class History(Checkpoint):
    """Collects the logged values of each epoch, passes them on, and measures the time of whole epochs.

    It is a `Checkpoint` because Lightning calls checkpoint callbacks after the module has logged the epoch's rates.
    """

    def __init__(self, on_epoch: OnEpoch) -> None:
        self.rows: list[Row] = []
        self.seconds = 0.0
        self.on_epoch = on_epoch
        self._epoch_start = time.perf_counter()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock for this process's first epoch."""
        self._epoch_start = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add a row: optimizer steps so far, learning rate, then all logged values by name."""
        logged = {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        learning_rate = float(trainer.optimizers[0].param_groups[0]["lr"])
        row = {"step": float(trainer.global_step), "learning_rate": learning_rate, **logged}
        self.rows.append(row)
        now = time.perf_counter()
        self.seconds += now - self._epoch_start
        self._epoch_start = now
        self.on_epoch(trainer.current_epoch, row)

    def state_dict(self) -> dict[str, Any]:
        """The rows and seconds so far."""
        return {"rows": self.rows, "seconds": self.seconds}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue the history of an interrupted training."""
        self.rows, self.seconds = list(state_dict["rows"]), state_dict["seconds"]


class StopOnNonFinite(pl.Callback):
    """Stops the training at the first loss that is NaN or infinite, before it spoils the weights."""

    def __init__(self, progress: TrainingProgress | None = None) -> None:
        self.progress = progress
        """Where the weights after the last whole epoch are kept, if they are."""
        self._batch: Batch | None = None

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, _: int) -> None:
        """Remember the batch for the error message."""
        self._batch = batch

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: torch.Tensor) -> None:
        """Check a training loss. On a GPU this waits for the forward pass."""
        self._check(trainer, pl_module, loss, self._batch, "training")

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, *_: object
    ) -> None:
        """Check a validation loss, before the epoch's weights are saved."""
        self._check(trainer, pl_module, outputs, batch, "validation")

    def _check(
        self, trainer: pl.Trainer, module: pl.LightningModule, loss: torch.Tensor, batch: Batch | None, part: str
    ) -> None:
        value = float(loss.detach())
        if math.isfinite(value):
            return
        with trainer.precision_plugin.forward_context():
            lines = f" on {describe_lines(module, batch, part)}" if batch else ""
        last = self.progress.last_checkpoint if self.progress else None
        kept = f"; the weights after the last whole epoch are in {last}" if last and last.exists() else ""
        raise InputError(
            f"training: the loss is {value} at step {trainer.global_step} of epoch {trainer.current_epoch}{lines}; "
            f"lower training.learning_rate or set training.trainer.gradient_clip_val{kept}"
        )


def describe_lines(module: Any, batch: Batch, part: str) -> str:
    """Name the lines of a batch whose own loss is not finite, by number and text. If there are none, name all."""
    recognizer = module.recognizer
    with torch.no_grad():
        logits, lengths = recognizer.logits(batch.images, batch.widths)
        losses = [
            float(recognizer.objective.loss(logits[i : i + 1], lengths[i : i + 1], batch.texts[i : i + 1]))
            for i in range(len(batch.texts))
        ]
    faulty = [i for i, loss in enumerate(losses) if not math.isfinite(loss)] or list(range(len(losses)))
    named = ", ".join(f"{batch.indices[i]} {batch.texts[i]!r}" for i in faulty[:MAX_NAMED_LINES])
    more = f" and {len(faulty) - MAX_NAMED_LINES} more" if len(faulty) > MAX_NAMED_LINES else ""
    return f"{len(faulty)} of {len(losses)} {part} lines in the batch: {named}{more}"


class SameStart(pl.Callback):
    """Refuses a training on several nodes that do not begin at the same point: they would wait for one another."""

    def __init__(self, seed: int, resumes: bool) -> None:
        self._own = (seed, resumes)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Compare with the first process."""
        first = trainer.strategy.broadcast(self._own)
        if first != self._own:
            raise InputError(
                f"training: {_describe(*self._own)} here, but {_describe(*first)} on the first node; "
                "let all nodes share the folder .training, or remove it on all of them"
            )


def _describe(seed: int, resumes: bool) -> str:
    return f"seed {seed} {'resumes' if resumes else 'begins'}"


class LimitMemory(pl.Callback):
    """Bounds the memory of a training on a CPU."""

    def __init__(self) -> None:
        self._memory = MemoryTrimmer()

    def on_train_batch_end(self, *_: object) -> None:
        """Return unused memory to the system if there is too much of it."""
        self._memory.trim_above_limit()

    def on_validation_batch_end(self, *_: object) -> None:
        """As after a training batch."""
        self._memory.trim_above_limit()


class StopEarly(EarlyStopping):
    """Early stopping that also stops a resumed training whose last saved epoch used up the patience."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop at once if the patience is used up."""
        trainer.should_stop = self.wait_count >= self.patience


class RandomState(pl.Callback):
    """Saves and restores PyTorch's random state, so that a resumed training draws the same random numbers."""

    def state_dict(self) -> dict[str, Any]:
        """The state of PyTorch's generators after the saved epoch."""
        return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore the generators."""
        torch.set_rng_state(state_dict["cpu"])
        if state_dict["cuda"]:
            torch.cuda.set_rng_state_all(state_dict["cuda"])
