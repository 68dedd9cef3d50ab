"""Cross-entropy at every target position, with padding. Step i of the logits predicts position i of the target."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.common.geometry import Windows
from pipeline.common.vocabulary import UNKNOWN
from pipeline.decoding.greedy import best_path
from pipeline.objectives.base import Objective


class CrossEntropy(Objective):
    """PyTorch's cross-entropy of each step. The prediction is the best class of each step."""

    cut_to_lines = False

    def lengths(self, windows: Windows, widths: Sequence[int]) -> list[int]:
        """T steps for every line, because the padding of targets is part of the loss."""
        return [self.max_length] * len(widths)

    def loss(self, logits: Tensor, lengths: Sequence[int], texts: Sequence[str]) -> Tensor:
        """Mean over all B x T positions but those of unknown characters."""
        # (B * T, C), not (B, C, T): for the second, a GPU's sum is not deterministic.
        rows = logits.float().transpose(1, 2).flatten(0, 1)
        targets = self.encode(texts).flatten().to(logits.device)
        return torch.nn.functional.cross_entropy(rows, targets, ignore_index=UNKNOWN)

    def decode(self, logits: Tensor, lengths: Sequence[int]) -> Tensor:
        """The best class of each position, (B, T)."""
        return best_path(logits).cpu()
