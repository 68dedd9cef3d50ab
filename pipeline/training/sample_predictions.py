"""What a training reads of a few validation lines while it learns."""

from collections.abc import Callable

import pytorch_lightning as pl
import torch

from pipeline.data.storage.lines import Lines
from pipeline.training.lit_module import LitRecognizer
from pipeline.training.trainer import is_main_process

OnPredictions = Callable[[int, list[str]], None]
"""Gets the number of an epoch that ended, and the readings of the first `SHOWN` lines."""
SHOWN = 12


class SamplePredictions(pl.Callback):
    """Reads the first lines after the first, the middle and the last epoch, and after the one it is stopped at.

    It draws no random numbers and leaves the model as it found it, so that the weights are the same with
    it as without.
    """

    def __init__(self, lines: Lines, max_epochs: int, on_predictions: OnPredictions) -> None:
        self.lines = lines
        self.epochs = {0, max_epochs // 2, max_epochs - 1}
        self.on_predictions = on_predictions
        self._last = -1

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Read if this epoch is one of them."""
        if trainer.current_epoch in self.epochs:
            self._read(trainer, pl_module, trainer.current_epoch)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Read once more where early stopping came before the last epoch."""
        # Lightning has counted on by then.
        if trainer.current_epoch and self._last != trainer.current_epoch - 1:
            self._read(trainer, pl_module, trainer.current_epoch - 1)

    @torch.inference_mode()
    def _read(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epoch: int) -> None:
        self._last = epoch
        if not is_main_process():
            return
        assert isinstance(pl_module, LitRecognizer)
        modes = [(module, module.training) for module in pl_module.modules()]
        pl_module.eval()
        texts: list[str] = []
        with trainer.precision_plugin.forward_context():
            for image, width in zip(self.lines.images[:SHOWN], self.lines.widths[:SHOWN], strict=True):
                pixels = torch.from_numpy(image[None, :, :width].copy()).to(pl_module.device)
                texts += pl_module.recognizer.read(pixels, [int(width)])[0]
        for module, mode in modes:
            module.training = mode
        self.on_predictions(epoch, texts)
