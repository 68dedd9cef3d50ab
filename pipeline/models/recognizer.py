"""A model and an objective: all that predicts the text of a line."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.kernels.memory_format import channels_last
from pipeline.models.base import LineModel
from pipeline.objectives.base import Objective


@dataclass(frozen=True)
class Recognizer:
    """Predicts the text of lines. It knows nothing of training.

    Images are (B, H, W) uint8, and `widths` are the B widths of the lines in pixels, without the background.
    """

    model: LineModel
    objective: Objective

    def logits(self, images: Tensor, widths: Sequence[int]) -> tuple[Tensor, list[int]]:
        """Logits (B, C, S), and the number of steps of each line."""
        lengths = self.objective.lengths(self.model.windows, widths)
        return self.model(to_pixels(images), lengths), lengths

    def logits_by_depth(self, images: Tensor, widths: Sequence[int]) -> tuple[list[Tensor], list[int]]:
        """As `logits`, with the model's intermediate logits for training before its own; see `LineModel`."""
        lengths = self.objective.lengths(self.model.windows, widths)
        return self.model.logits_by_depth(to_pixels(images), lengths), lengths

    @torch.inference_mode()
    def predict(self, images: Tensor, widths: Sequence[int]) -> tuple[list[str], Tensor]:
        """Predict the texts of a batch of lines, and their class indices (B, T)."""
        rows = self.objective.decode(*self.logits(images, widths))
        return self.objective.texts(rows), rows


def to_pixels(images: Tensor) -> Tensor:
    """Images (B, H, W) uint8 to the input of models: (B, 1, H, W) float in [0, 1], channels last."""
    return channels_last(images.unsqueeze(1).float() / 255)
