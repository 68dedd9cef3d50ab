"""Compute each line of a batch as if it were alone: what lies right of it counts as zero padding."""

import torch
from torch import Tensor

from pipeline.models.layers.lengths import Lengths, lengths_on, some_are_shorter


class OwnWidth:
    """The widths of the lines in a batch, at any resolution of the network."""

    def __init__(self, lengths: Lengths | None, steps: int, device: torch.device) -> None:
        self.padding_mask: Tensor | None = None
        """(B, S) bool, True right of a line; None where all lines are as wide as the batch."""
        self._masks: dict[tuple[int, torch.dtype], Tensor] = {}
        if lengths is not None and some_are_shorter(lengths, steps):
            self.padding_mask = torch.arange(steps, device=device) >= lengths_on(lengths, device)[:, None]

    def clear_padding(self, features: Tensor) -> Tensor:
        """Set features (B, C, H, W) right of each line to zero. W is a multiple of the number of steps."""
        return features if self.padding_mask is None else features * self._mask(features)

    def mean(self, features: Tensor) -> Tensor:
        """The mean of features (B, C, H, W) over the rows and each line's own columns: (B, C, 1, 1)."""
        if self.padding_mask is None:
            return features.mean((2, 3), keepdim=True)
        mask = self._mask(features)
        return (features * mask).sum((2, 3), keepdim=True) / (mask.sum(3, keepdim=True) * features.shape[2])

    def _mask(self, features: Tensor) -> Tensor:
        """(B, 1, 1, W), 1 on the line and 0 right of it."""
        assert self.padding_mask is not None
        repeats = int(features.shape[-1] // self.padding_mask.shape[1])
        key = repeats, features.dtype
        if key not in self._masks:
            mask = (~self.padding_mask).repeat_interleave(repeats, dim=1)
            self._masks[key] = mask[:, None, None].to(features.dtype)
        return self._masks[key]
