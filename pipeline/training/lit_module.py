"""The Lightning module: losses, metrics and the learning-rate schedule of a training."""

import math
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from pipeline.data.loading.batches import Batch
from pipeline.metrics.epoch import EpochMetrics
from pipeline.models.recognizer import Recognizer
from pipeline.runtime.hardware import uses_gpu
from pipeline.settings.experiment import TrainingSettings
from pipeline.training.cuda_graphs import GraphedRecognizer
from pipeline.training.optimizers import make_optimizer


class LitRecognizer(pl.LightningModule):
    """Trains a recognizer. Each epoch it logs loss, error rates and accuracy, with the prefixes `train_` and `val_`.

    `learning_rate` replaces that of the settings.
    """

    def __init__(self, recognizer: Recognizer, training: TrainingSettings, learning_rate: float) -> None:
        super().__init__()
        replays = uses_gpu(training.trainer.accelerator) and training.trainer.accumulate_grad_batches == 1
        self.recognizer = GraphedRecognizer(recognizer.model, recognizer.objective) if replays else recognizer
        self.model = recognizer.model  # registers the parameters
        self.settings = training
        self.learning_rate = learning_rate
        self.train_metrics, self.val_metrics = EpochMetrics(), EpochMetrics()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The batch's loss. If the model has intermediate logits, `intermediate_weight` is the weight of their loss.

        `train_loss` is the loss of the final logits without label smoothing, so that it compares with `val_loss`.
        """
        (*intermediate, logits), lengths = self.recognizer.logits_by_depth(batch.images, batch.widths)
        loss = self.recognizer.objective.loss(logits, lengths, batch.texts)
        self._log_batch("train", batch, loss, logits, lengths)
        loss = self._smooth(loss, logits, lengths)
        if not intermediate:
            return loss
        intermediate_losses = [
            self._smooth(self.recognizer.objective.loss(inner, lengths, batch.texts), inner, lengths)
            for inner in intermediate
        ]
        return torch.lerp(loss, torch.stack(intermediate_losses).mean(), self.settings.intermediate_weight)

    def _smooth(self, loss: Tensor, logits: Tensor, lengths: list[int]) -> Tensor:
        smoothing = self.settings.label_smoothing
        if not smoothing:
            return loss
        return torch.lerp(loss, self.recognizer.objective.uniform_loss(logits, lengths), smoothing)

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The batch's loss."""
        logits, lengths = self.recognizer.logits(batch.images, batch.widths)
        loss = self.recognizer.objective.loss(logits, lengths, batch.texts)
        self._log_batch("val", batch, loss, logits, lengths)
        return loss

    def on_train_epoch_end(self) -> None:
        """Log the rates of the epoch's batches. Each was predicted before the step that trained on it."""
        self._log_rates("train", self.train_metrics)

    def on_validation_epoch_end(self) -> None:
        """Log the rates of the validation lines."""
        self._log_rates("val", self.val_metrics)

    def configure_optimizers(self) -> Any:
        """The optimizer, with OneCycle over the whole training if the settings say so."""
        optimizer = make_optimizer(self.settings, self.parameters(), self.learning_rate)
        if not self.settings.one_cycle:
            return optimizer
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=self.learning_rate,
            total_steps=self._count_steps(),
            pct_start=self.settings.warm_up,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _count_steps(self) -> int:
        """Count the optimizer steps of the whole training.

        Lightning's own `estimated_stepping_batches` makes a data loader, which draws a random number. A resumed
        training would then draw other numbers than an uninterrupted one.
        """
        trainer: Any = self.trainer
        steps: int = math.ceil(trainer.datamodule.train_batches / trainer.accumulate_grad_batches)
        return steps * int(trainer.max_epochs)

    def _log_batch(self, part: str, batch: Batch, loss: Tensor, logits: Tensor, lengths: list[int]) -> None:
        objective, size = self.recognizer.objective, len(batch.texts)
        self.log(f"{part}_loss", loss, on_step=False, on_epoch=True, batch_size=size, prog_bar=True, sync_dist=True)
        classes = objective.decode(logits.detach(), lengths)
        metrics = self.train_metrics if part == "train" else self.val_metrics
        metrics.update(objective.texts(classes), batch.texts, classes, objective.encode(batch.texts))
        for name, value in objective.statistics(logits.detach(), lengths).items():
            self.log(f"{part}_{name}", value, on_step=False, on_epoch=True, batch_size=size, sync_dist=True)

    def _log_rates(self, part: str, metrics: EpochMetrics) -> None:
        for name, rate in metrics.compute().items():
            # `compute` has summed over all processes already: all log the same rate, and `sync_dist` keeps it.
            self.log(f"{part}_{name}", rate, prog_bar=name == "cer", sync_dist=True)
        metrics.reset()
