"""Floating-point numbers viewed as integers, which a CPU compares and multiplies far faster than bf16 numbers."""

import torch
from torch import Tensor

INT_DTYPES = {2: torch.int16, 4: torch.int32, 8: torch.int64}
"""The integer dtype for the size of a floating-point number in bytes."""


def compute_dtype(values: Tensor) -> torch.dtype:
    """The dtype that layers on a CPU compute in: autocast's, or that of `values` without autocast."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else values.dtype


def as_integers(values: Tensor) -> Tensor:
    """View the bits of floating-point `values` as integers.

    Non-negative numbers keep their order and are at least 0; negative numbers become negative integers.
    """
    return values.view(INT_DTYPES[values.itemsize])


def apply_mask(values: Tensor, mask: Tensor, out: Tensor | None = None) -> Tensor:
    """Keep floating-point `values` where the integer `mask` of their size is 1; zero them, even NaN, where it is 0."""
    bits = torch.mul(values.view(mask.dtype), mask, out=None if out is None else out.view(mask.dtype))
    return bits.view(values.dtype)


def relu_backward(grad_output: Tensor, output: Tensor, out: Tensor | None = None) -> Tensor:
    """The gradient of a ReLU's input: `grad_output` where the ReLU's `output` is positive, else 0."""
    grad_input = torch.empty_like(grad_output) if out is None else out
    # PyTorch's own operation, but on integers.
    torch.ops.aten.threshold_backward.grad_input(
        as_integers(grad_output), as_integers(output), 0, grad_input=as_integers(grad_input)
    )
    return grad_input
