"""Dropout that costs what it should on a CPU."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_LEVELS = 2**15
_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Integers as wide as a floating-point number of so many bytes."""


class Dropout(nn.Dropout):
    """Dropout as PyTorch's, with 15 random bits for each value.

    PyTorch draws one Bernoulli value after another on a CPU, which for the features of LineCNNSimple
    takes longer than its convolutions. Here each 64-bit draw serves four values and bits are masked
    instead of numbers multiplied, so the probability is `p` rounded to a multiple of 1/32768. On other
    devices it is PyTorch's own.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Zero a share `p` of the values in training mode, and scale the others up."""
        if not self._masks(values):
            return super().forward(values)
        return self._masked(values) * self._scale

    def before(self, layer: nn.Linear, values: Tensor) -> Tensor:
        """`layer(self(values))`; the scale goes to the layer's weights, which are far fewer than the values."""
        if not self._masks(values):
            dense: Tensor = layer(self(values))
            return dense
        return nn.functional.linear(self._masked(values), layer.weight * self._scale, layer.bias)

    def _masks(self, values: Tensor) -> bool:
        return self.training and values.device.type == "cpu"

    def _masked(self, values: Tensor) -> Tensor:
        masked: Tensor = _Mask.apply(values, self._kept)  # type: ignore[no-untyped-call]
        return masked

    @property
    def _kept(self) -> int:
        """How many of the levels are kept."""
        return _LEVELS - round(self.p * _LEVELS)

    @property
    def _scale(self) -> float:
        return _LEVELS / max(self._kept, 1)


class _Mask(torch.autograd.Function):
    """Zeroes values at random; each stays with probability `kept` / 32768."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, kept: int) -> Tensor:
        draws = np.random.SFC64(int(torch.randint(2**63 - 1, ()))).random_raw(-(-values.numel() // 4))
        bits = torch.from_numpy(draws.view(np.int16))[: values.numel()].view(values.shape)
        # All ones where a level is below `kept`, else all zeros: the sign of a difference, spread over the number.
        mask = bits.bitwise_and_(_LEVELS - 1).sub_(kept).bitwise_right_shift_(15)
        ctx.mask = mask.to(_INTEGERS[values.element_size()])
        return _and(values, ctx.mask)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _and(gradient, ctx.mask), None


def _and(values: Tensor, mask: Tensor) -> Tensor:
    return (values.view(mask.dtype) & mask).view(values.dtype)
