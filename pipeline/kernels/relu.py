"""A rectifier that costs what it should on a CPU."""

from typing import Any

import torch
from torch import Tensor, nn

from pipeline.kernels.int_views import bits_of, where_positive


class ReLU(nn.ReLU):
    """ReLU in place, PyTorch's own but for bf16 on a CPU.

    There, PyTorch widens every value to fp32 and back. As 16-bit integers, bf16 numbers keep their sign,
    so the integer maximum with 0 is the same function at nine times the speed. One value differs: a NaN
    whose sign bit is set becomes 0.
    """

    def __init__(self) -> None:
        super().__init__(inplace=True)

    def forward(self, values: Tensor) -> Tensor:
        """Rectify `values` themselves and return them."""
        if values.device.type != "cpu" or values.dtype != torch.bfloat16:
            return super().forward(values)
        rectified: Tensor = _IntegerReLU.apply(values)  # type: ignore[no-untyped-call]
        return rectified


def rectify_(values: Tensor) -> Tensor:
    """ReLU of floating-point `values` in place, without a gradient: the maximum of their bits as integers and 0.

    A NaN whose sign bit is set becomes 0.
    """
    bits_of(values).clamp_(min=0)
    return values


class _IntegerReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        rectify_(values)
        ctx.mark_dirty(values)
        ctx.save_for_backward(values)
        return values

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (rectified,) = ctx.saved_tensors
        return where_positive(gradient, rectified)
