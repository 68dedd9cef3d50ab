"""Dropout that costs what it should on a CPU."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.models.relu import INTEGERS

_LEVELS = 2**15


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
        return self._masked(values) * self.scale

    def before(self, layer: nn.Linear, values: Tensor) -> Tensor:
        """`layer(self(values))`; the scale goes to the layer's weights, which are far fewer than the values."""
        if not self._masks(values):
            dense: Tensor = layer(self(values))
            return dense
        return nn.functional.linear(self._masked(values), layer.weight * self.scale, layer.bias)

    def _masks(self, values: Tensor) -> bool:
        return self.training and values.device.type == "cpu"

    def _masked(self, values: Tensor) -> Tensor:
        masked: Tensor = _Mask.apply(values, self.kept)  # type: ignore[no-untyped-call]
        return masked

    @property
    def kept(self) -> int:
        """How many of the levels are kept."""
        return _LEVELS - round(self.p * _LEVELS)

    @property
    def scale(self) -> float:
        """What those that stay are multiplied by."""
        return _LEVELS / max(self.kept, 1)


def random_masks(shape: tuple[int, int], kept: int, dtype: torch.dtype, chunk: int) -> Iterator[Tensor]:
    """Masks (N, D) for values of `dtype`, `chunk` rows at a time: integers, all ones with probability `kept` / 32768.

    The seed comes from PyTorch's generator.
    """
    rows, columns = shape
    draws = np.random.SFC64(int(torch.randint(2**63 - 1, ())))
    for start in range(0, rows, chunk):
        count = min(chunk, rows - start) * columns
        bits = torch.from_numpy(draws.random_raw(-(-count // 4)).view(np.int16))[:count].view(
            count // max(columns, 1), columns
        )
        # All ones where a level is below `kept`, else all zeros: the sign of a difference, spread over the number.
        mask = bits.bitwise_and_(_LEVELS - 1).sub_(kept).bitwise_right_shift_(15)
        yield mask.to(INTEGERS[dtype.itemsize])


class _Mask(torch.autograd.Function):
    """Zeroes values at random; each stays with probability `kept` / 32768."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, kept: int) -> Tensor:
        (mask,) = random_masks((1, values.numel()), kept, values.dtype, 1)
        ctx.mask = mask.view(values.shape)
        return _and(values, ctx.mask)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _and(gradient, ctx.mask), None


def _and(values: Tensor, mask: Tensor) -> Tensor:
    return (values.view(mask.dtype) & mask).view(values.dtype)
