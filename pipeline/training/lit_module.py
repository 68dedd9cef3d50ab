"""The Lightning module: it takes a recognizer and an optimizer, and only adds the bookkeeping of training."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from pipeline.common import vocabulary
from pipeline.data.loading.batches import Batch
from pipeline.metrics.epoch import EpochMetrics
from pipeline.models.recognizer import Recognizer

MakeOptimizer = Callable[[Iterable[nn.Parameter], float], torch.optim.Optimizer]


class LitRecognizer(pl.LightningModule):
    """Trains a recognizer. Logs, once an epoch and for `train` and `val` alike, loss, error rates and accuracy."""

    def __init__(
        self,
        recognizer: Recognizer,
        make_optimizer: MakeOptimizer,
        learning_rate: float,
        *,
        one_cycle: bool = False,
        warm_up: float = 0.3,
        intermediate_weight: float = 0.3,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.recognizer = recognizer
        self.model = recognizer.model  # registers the parameters
        self.make_optimizer = make_optimizer
        self.learning_rate = learning_rate
        self.one_cycle, self.warm_up = one_cycle, warm_up
        self.intermediate_weight, self.label_smoothing = intermediate_weight, label_smoothing
        self.train_metrics, self.val_metrics = EpochMetrics(), EpochMetrics()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The batch's loss, of which `intermediate_weight` is that of the model's intermediate logits if it has any.

        What is logged as `train_loss` is that of the model's own logits, without smoothing, to be compared with
        `val_loss`.
        """
        (*inner, logits), lengths = self.recognizer.logits_by_depth(batch.images, batch.widths)
        loss = self._smoothed(self._log_reading("train", batch, logits, lengths), logits, lengths)
        if not inner:
            return loss
        objective = self.recognizer.objective
        others = [self._smoothed(objective.loss(one, lengths, batch.texts), one, lengths) for one in inner]
        return torch.lerp(loss, torch.stack(others).mean(), self.intermediate_weight)

    def _smoothed(self, loss: Tensor, logits: Tensor, lengths: list[int]) -> Tensor:
        if not self.label_smoothing:
            return loss
        return torch.lerp(loss, self.recognizer.objective.uniform_loss(logits, lengths), self.label_smoothing)

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The batch's loss; only logged and checked."""
        return self._log_reading("val", batch, *self.recognizer.logits(batch.images, batch.widths))

    def on_train_epoch_end(self) -> None:
        """Log the rates over the epoch's batches, as the weights were when each was trained on."""
        self._log_rates("train")

    def on_validation_epoch_end(self) -> None:
        """Log the rates over the validation lines."""
        self._log_rates("val")

    def configure_optimizers(self) -> Any:
        """The optimizer, with OneCycle over the whole training if asked for; `warm_up` is its rising share."""
        optimizer = self.make_optimizer(self.parameters(), self.learning_rate)
        if not self.one_cycle:
            return optimizer
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=self.learning_rate, total_steps=self._total_steps(), pct_start=self.warm_up
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _total_steps(self) -> int:
        """Optimizer steps of the whole training.

        Lightning's own estimate makes a data loader for it, which draws a random number: a training that
        goes on after an interruption would draw others than without.
        """
        trainer: Any = self.trainer
        steps: int = math.ceil(trainer.datamodule.train_batches / trainer.accumulate_grad_batches)
        return steps * int(trainer.max_epochs)

    def _log_reading(self, part: str, batch: Batch, logits: Tensor, lengths: list[int]) -> Tensor:
        objective, size = self.recognizer.objective, len(batch.texts)
        loss = objective.loss(logits, lengths, batch.texts)
        self.log(f"{part}_loss", loss, on_step=False, on_epoch=True, batch_size=size, prog_bar=True, sync_dist=True)
        rows = objective.decode(logits.detach(), lengths)
        readings = vocabulary.decode_rows(rows.numpy())
        self._metrics(part).update(readings, batch.texts, rows, objective.encode(batch.texts))
        for name, value in objective.statistics(logits.detach(), lengths).items():
            self.log(f"{part}_{name}", value, on_step=False, on_epoch=True, batch_size=size, sync_dist=True)
        return loss

    def _log_rates(self, part: str) -> None:
        metric = self._metrics(part)
        for name, rate in metric.compute().items():
            # Every process has the same rates, which are of the lines of all of them.
            self.log(f"{part}_{name}", rate, prog_bar=name == "cer", sync_dist=True)
        metric.reset()

    def _metrics(self, part: str) -> EpochMetrics:
        return self.train_metrics if part == "train" else self.val_metrics
