"""A fast ReLU for bf16 on a CPU."""

from typing import Any

import torch
from torch import Tensor, nn

from pipeline.kernels.int_views import as_integers, relu_backward


class ReLU(nn.ReLU):
    """An in-place ReLU: PyTorch's own, except for bf16 on a CPU.

    There PyTorch converts each value to fp32 and back. As a 16-bit integer a bf16 number keeps its sign, so the integer
    maximum with 0 is the same function, nine times as fast. One value differs: a NaN with the sign bit becomes 0.
    """

    def __init__(self) -> None:
        super().__init__(inplace=True)

    def forward(self, values: Tensor) -> Tensor:
        """Rectify `values` in place and return them."""
        if values.device.type != "cpu" or values.dtype != torch.bfloat16:
            return super().forward(values)
        rectified: Tensor = _IntegerReLU.apply(values)  # type: ignore[no-untyped-call]
        return rectified


def relu_(values: Tensor) -> Tensor:
    """ReLU of floating-point `values` in place, as a maximum of integers, without autograd.

    A NaN with the sign bit becomes 0.
    """
    as_integers(values).clamp_(min=0)
    return values


class _IntegerReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        relu_(values)
        ctx.mark_dirty(values)
        ctx.save_for_backward(values)
        return values

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> Tensor:
        (output,) = ctx.saved_tensors
        return relu_backward(grad_output, output)
