"""Dropout that costs what it should on a CPU."""

import torch
from torch import Tensor, nn

_LEVELS = 2**16


class Dropout(nn.Dropout):
    """Dropout as PyTorch's, with 16 random bits for each value.

    PyTorch draws one Bernoulli value after another on a CPU, which for the features of LineCNNSimple
    takes longer than its convolutions. Here each 64-bit draw serves four values, so the probability is
    `p` rounded to a multiple of 1/65536. On other devices it is PyTorch's own.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Zero a share `p` of the values in training mode, and scale the others up."""
        if not self.training or values.device.type != "cpu":
            return super().forward(values)
        draws = torch.empty(-(-values.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        bits = draws.view(torch.int16)[: values.numel()].view(values.shape)
        kept = bits >= round(self.p * _LEVELS) - _LEVELS // 2
        # One factor of the values' own type: multiplying by booleans is slow, most of all going backward.
        return values * kept.to(values.dtype).mul_(1 / (1 - self.p))
