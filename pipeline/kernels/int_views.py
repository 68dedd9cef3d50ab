"""Floating-point numbers read as integers, which a CPU compares and multiplies far faster than bf16."""

import torch
from torch import Tensor

INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Integers as wide as a floating-point number of so many bytes."""


def bits_of(values: Tensor) -> Tensor:
    """Floating-point `values` read as integers of their size: of numbers that are not negative, in the same order."""
    return values.view(INTEGERS[values.itemsize])


def times_mask(values: Tensor, mask: Tensor, out: Tensor | None = None) -> Tensor:
    """Floating-point `values` where the integer `mask`, as wide as they, is 1, and 0 where it is 0, even of a NaN."""
    bits = torch.mul(values.view(mask.dtype), mask, out=None if out is None else out.view(mask.dtype))
    return bits.view(values.dtype)


def where_positive(values: Tensor, rectified: Tensor, out: Tensor | None = None) -> Tensor:
    """`values` where `rectified` is above 0, else 0: what a ReLU that left `rectified` lets pass of a gradient."""
    written = torch.empty_like(values) if out is None else out
    # PyTorch's own gradient of a ReLU, but of integers.
    torch.ops.aten.threshold_backward.grad_input(bits_of(values), bits_of(rectified), 0, grad_input=bits_of(written))
    return written
