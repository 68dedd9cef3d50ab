"""A model and an objective together: what reads images of lines."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.common import vocabulary
from pipeline.kernels.memory_format import channels_last
from pipeline.models.base import LineModel
from pipeline.objectives.base import Objective


@dataclass(frozen=True)
class Recognizer:
    """Reads lines; knows nothing of training."""

    model: LineModel
    objective: Objective

    def logits(self, images: Tensor, widths: Sequence[int]) -> tuple[Tensor, list[int]]:
        """Logits (B, C, S) of images (B, 28, W) uint8 with ink up to `widths` pixels, and the steps that count."""
        lengths = self.objective.lengths(self.model.windows, widths)
        return self.model(to_pixels(images), lengths), lengths

    def logits_by_depth(self, images: Tensor, widths: Sequence[int]) -> tuple[list[Tensor], list[int]]:
        """As `logits`, with those before them that the model has for training."""
        lengths = self.objective.lengths(self.model.windows, widths)
        return self.model.logits_by_depth(to_pixels(images), lengths), lengths

    @torch.inference_mode()
    def read(self, images: Tensor, widths: Sequence[int]) -> tuple[list[str], Tensor]:
        """The texts of a batch of lines, and the class indices (B, T) that they come from."""
        rows = self.objective.decode(*self.logits(images, widths))
        return vocabulary.decode_rows(rows.numpy()), rows


def to_pixels(images: Tensor) -> Tensor:
    """Images (B, 28, W) uint8 as models take them: (B, 1, 28, W) float in [0, 1], channels last."""
    return channels_last(images.unsqueeze(1).float() / 255)
