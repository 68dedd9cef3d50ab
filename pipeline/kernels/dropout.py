"""Dropout that costs what it should on a CPU."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.kernels.int_views import INTEGERS, times_mask

_BITS = 15
_LEVELS = 1 << _BITS


class Dropout(nn.Dropout):
    """Dropout as PyTorch's, with up to 15 random bits for each value.

    PyTorch draws one Bernoulli value after another on a CPU, which for the features of LineCNNSimple
    takes longer than its convolutions. Here each 64-bit draw serves four values or more, and their bits are multiplied
    by 0 or 1 as integers. The probability is `p` rounded to a multiple of 1/32768. On other devices it is
    PyTorch's own.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Zero a share `p` of the values in training mode, and scale the others up."""
        if not self._masks(values):
            return super().forward(values)
        return self._masked(values) * self.scale

    def before(self, layer: nn.Linear, values: Tensor, weight: Tensor | None = None) -> Tensor:
        """`layer(self(values))`, with `weight` in place of the layer's own.

        The scale goes to the weights, which are far fewer than the values.
        """
        if weight is None and not self._masks(values):
            dense: Tensor = layer(self(values))  # a call of the module, for whoever listens to it
            return dense
        weight = layer.weight if weight is None else weight
        if not self._masks(values):
            return nn.functional.linear(self(values), weight, layer.bias)
        return nn.functional.linear(self._masked(values), weight * self.scale, layer.bias)

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
    """Masks (N, D) for values of `dtype`, `chunk` rows at a time: integers of its size, 1 with probability
    `kept` / 32768, else 0.

    The seed comes from PyTorch's generator.
    """
    rows, columns = shape
    draws = np.random.SFC64(int(torch.randint(2**63 - 1, ())))
    for start in range(0, max(rows, 1), chunk):  # one empty mask of no rows, as torch.split has it
        here = min(chunk, rows - start)
        mask = _draw(draws, here * columns, kept).view(here, columns)
        yield mask.to(INTEGERS[dtype.itemsize])


def _draw(draws: np.random.SFC64, count: int, kept: int) -> Tensor:
    """`count` int16 that are 1 with probability `kept` / 32768, else 0.

    Where 1 in 2, 4, 8 … is dropped, it takes 1, 2, 3 … bits that are all 0, and what is drawn is used several times.
    """
    dropped = _LEVELS - kept
    bits = _BITS - (dropped.bit_length() - 1) if dropped.bit_count() == 1 else _BITS
    shared = _BITS // max(bits, 1)
    drawn = -(-count // shared)
    numbers = torch.from_numpy(draws.random_raw(-(-drawn // 4)).view(np.int16))[:drawn]
    if shared == 1:
        return numbers.bitwise_and_(_LEVELS - 1).le_(kept - 1)
    places = torch.tensor([(2**bits - 1) << (i * bits) for i in range(shared)], dtype=torch.int16)
    return (numbers & places.unsqueeze(1)).flatten()[:count].clamp_(max=1)


class _Mask(torch.autograd.Function):
    """Zeroes values at random; each stays with probability `kept` / 32768."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, kept: int) -> Tensor:
        (mask,) = random_masks((1, values.numel()), kept, values.dtype, 1)
        ctx.mask = mask.view(values.shape)
        return times_mask(values, ctx.mask)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return times_mask(gradient, ctx.mask), None
