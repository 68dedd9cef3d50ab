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
    # None is negative, and as integers those above 0 are at least 1.
    return times_mask(values, bits_of(rectified).clamp(max=1), out)
