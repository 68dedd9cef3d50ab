"""Show what a model predicts while it learns."""

from collections.abc import Callable

import pytorch_lightning as pl
import torch

from pipeline.data.storage.lines import Lines
from pipeline.training.lit_module import LitRecognizer

OnPredictions = Callable[[int, list[str]], None]
"""Called with the number of an epoch that has ended, and the predictions of the first `SHOWN` lines."""
SHOWN = 12


class SamplePredictions(pl.Callback):
    """Predicts the first lines after the first, the middle and the last epoch, and after one that stops early.

    It draws no random numbers and restores each module's mode, so that it does not change the training.
    """

    def __init__(self, lines: Lines, max_epochs: int, on_predictions: OnPredictions) -> None:
        self.lines = lines
        self.epochs = {0, max_epochs // 2, max_epochs - 1}
        self.on_predictions = on_predictions
        self._last_epoch = -1

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Predict if this epoch is one of `epochs`."""
        if trainer.current_epoch in self.epochs:
            self._predict(trainer, pl_module, trainer.current_epoch)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Predict once more if early stopping ended the training."""
        # Here Lightning has already increased `current_epoch`.
        if trainer.current_epoch and self._last_epoch != trainer.current_epoch - 1:
            self._predict(trainer, pl_module, trainer.current_epoch - 1)

    @torch.inference_mode()
    def _predict(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epoch: int) -> None:
        self._last_epoch = epoch
        if not trainer.is_global_zero:
            return
        assert isinstance(pl_module, LitRecognizer)
        modes = [(module, module.training) for module in pl_module.modules()]
        pl_module.eval()
        texts: list[str] = []
        with trainer.precision_plugin.forward_context():
            for image, width in zip(self.lines.images[:SHOWN], self.lines.widths[:SHOWN], strict=True):
                pixels = torch.from_numpy(image[None, :, :width].copy()).to(pl_module.device)
                texts += pl_module.recognizer.predict(pixels, [int(width)])[0]
        for module, mode in modes:
            module.training = mode
        self.on_predictions(epoch, texts)
