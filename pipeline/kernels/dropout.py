"""A fast dropout for a CPU."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.kernels.int_views import INT_DTYPES, apply_mask

_BITS = 15
_LEVELS = 1 << _BITS


class Dropout(nn.Dropout):
    """PyTorch's dropout, but with up to 15 random bits for each value on a CPU.

    There PyTorch draws one Bernoulli value after another, which for the features of LineCNNSimple takes longer than its
    convolutions. Here each 64-bit draw serves at least four values, which are multiplied by 0 or 1 as integers. The
    probability is `p` rounded to a multiple of 1/32768. On other devices it is PyTorch's own.
    """

    def forward(self, values: Tensor) -> Tensor:
        """In training zero each value with probability `p`, and scale the others up."""
        if not self.is_fast(values):
            return super().forward(values)
        return self.masked(values) * self.scale

    def is_fast(self, values: Tensor) -> bool:
        """Whether `masked` computes this layer: in training on a CPU."""
        return self.training and values.device.type == "cpu"

    def masked(self, values: Tensor) -> Tensor:
        """Zero values at random, without the scale."""
        masked: Tensor = _RandomMask.apply(values, self.kept_levels)  # type: ignore[no-untyped-call]
        return masked

    @property
    def kept_levels(self) -> int:
        """The probability of keeping a value, in units of 1/32768."""
        return _LEVELS - round(self.p * _LEVELS)

    @property
    def scale(self) -> float:
        """The factor of the values that are kept."""
        return _LEVELS / max(self.kept_levels, 1)


class _RandomMask(torch.autograd.Function):
    """Keep each value with probability `kept_levels` / 32768, and zero the others."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, kept_levels: int) -> Tensor:
        (mask,) = random_masks((1, values.numel()), kept_levels, values.dtype, 1)
        ctx.mask = mask.view(values.shape)
        return apply_mask(values, ctx.mask)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None]:
        return apply_mask(grad_output, ctx.mask), None


def random_masks(shape: tuple[int, int], kept_levels: int, dtype: torch.dtype, chunk: int) -> Iterator[Tensor]:
    """Draw masks (N, D) for values of `dtype`, `chunk` rows at a time.

    They are integers of the size of `dtype`: 1 with probability `kept_levels` / 32768, else 0. The seed comes from
    PyTorch's generator.
    """
    rows, columns = shape
    generator = np.random.SFC64(int(torch.randint(2**63 - 1, ())))
    for start in range(0, max(rows, 1), chunk):  # without rows one empty mask, as from torch.split
        length = min(chunk, rows - start)
        mask = _draw(generator, length * columns, kept_levels).view(length, columns)
        yield mask.to(INT_DTYPES[dtype.itemsize])


def _draw(generator: np.random.SFC64, count: int, kept_levels: int) -> Tensor:
    """Draw `count` int16: 1 with probability `kept_levels` / 32768, else 0.

    To drop one value in 2, 4, 8, …, only 1, 2, 3, … bits are compared with 0, so a draw serves several values.
    """
    dropped = _LEVELS - kept_levels
    bits = _BITS - (dropped.bit_length() - 1) if dropped.bit_count() == 1 else _BITS
    values_per_number = _BITS // max(bits, 1)
    numbers_needed = -(-count // values_per_number)
    numbers = torch.from_numpy(generator.random_raw(-(-numbers_needed // 4)).view(np.int16))[:numbers_needed]
    if values_per_number == 1:
        return numbers.bitwise_and_(_LEVELS - 1).le_(kept_levels - 1)
    groups = torch.tensor([(2**bits - 1) << (i * bits) for i in range(values_per_number)], dtype=torch.int16)
    return (numbers & groups.unsqueeze(1)).flatten()[:count].clamp_(max=1)
