"""ReLU and 2 x 2 max-pooling of channels-last values as integer operations on a CPU."""

import torch
from torch import Tensor

from pipeline.kernels.int_views import as_integers

Argmax = tuple[Tensor, Tensor]
"""Where the maximum of each 2 x 2 pixels is, as integers 0 or 1: (N, H, W / 2, F), whether the right pixel of a pair is
larger than the left one; (N, H / 2, W / 2, F), whether the lower pair has a larger pixel than the upper one."""


def max_pool_relu(values: Tensor, pooled: Tensor) -> Argmax:
    """Write the rectified maximum of each 2 x 2 pixels of `values` (N, H, W, F) to `pooled`.

    Of equal pixels the first one counts. Where all are negative any may count: the ReLU stops the gradient.
    """
    # As integers, non-negative numbers keep their order and stand above all negative ones. So the ReLU can wait until
    # a quarter of the values is left.
    bits, pooled = as_integers(values), as_integers(pooled)
    height, width = pooled.shape[1] * 2, pooled.shape[2] * 2
    left, right = bits[:, :height, 0:width:2], bits[:, :height, 1:width:2]
    pairs = torch.maximum(left, right)
    upper, lower = pairs[:, 0::2], pairs[:, 1::2]
    torch.maximum(upper, lower, out=pooled).clamp_(min=0)
    return _greater(right, left), _greater(lower, upper)


def max_pool_backward(grad_pooled: Tensor, argmax: Argmax, size: torch.Size) -> Tensor:
    """The gradient (N, H, W, F) of the pooling's input; `size` is (H, W)."""
    height, width = size
    grad_values = (torch.zeros if height % 2 or width % 2 else torch.empty)(
        (len(grad_pooled), height, width, grad_pooled.shape[3]), dtype=grad_pooled.dtype
    )
    right_is_larger, lower_is_larger = argmax
    bits, grad_bits = as_integers(grad_values), as_integers(grad_pooled)
    grad_pairs = torch.empty(right_is_larger.shape, dtype=grad_bits.dtype)
    _route(grad_bits, lower_is_larger, grad_pairs[:, 0::2], grad_pairs[:, 1::2])
    height, width = grad_pairs.shape[1], grad_pairs.shape[2] * 2
    _route(grad_pairs, right_is_larger, bits[:, :height, 0:width:2], bits[:, :height, 1:width:2])
    return grad_values


def _greater(a: Tensor, b: Tensor) -> Tensor:
    """1 where `a` > `b`, else 0, in their own dtype: far faster to compute and to multiply by than bool."""
    return torch.gt(a, b, out=torch.empty(a.shape, dtype=a.dtype))


def _route(bits: Tensor, to_second: Tensor, first: Tensor, second: Tensor) -> None:
    """Write each number to `second` where `to_second` is 1, else to `first`, and 0 to the other one."""
    torch.mul(bits, to_second, out=second)
    torch.bitwise_xor(bits, second, out=first)
