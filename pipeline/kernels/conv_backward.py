"""Gradients of a convolution on a CPU."""

from typing import Any

import torch
from torch import Tensor, nn

Wanted = tuple[bool, bool, bool]
"""Whether the gradients of the images, the weight and the bias are."""
Gradients = tuple[Any, Any, Any]
"""Those of the images, the weight and the bias: tensors, but None where they are not wanted."""


def gradients_of_conv(gradient: Tensor, images: Tensor, weight: Tensor, conv: nn.Conv2d, wanted: Wanted) -> Gradients:
    """From the one (N, F, H', W') of what `conv`, with `weight`, makes of `images` (N, C, H, W)."""
    of_images, of_weight, of_bias = wanted
    if not of_weight or not _are_windows(conv, gradient):
        return _by_pytorch(gradient, images, weight, conv, wanted)
    # PyTorch computes the weight's gradient too where the bias's is wanted.
    found, _, _ = _by_pytorch(gradient, images, weight, conv, (of_images, False, False))
    of_rows = gradient.permute(0, 2, 3, 1).flatten(0, 2)
    return found, _of_windows(of_rows, images, conv), of_rows.sum(0) if of_bias else None


def _by_pytorch(gradient: Tensor, images: Tensor, weight: Tensor, conv: nn.Conv2d, wanted: Wanted) -> Gradients:
    of_bias, geometry = [conv.out_channels], (conv.stride, conv.padding, conv.dilation, False, [0, 0], conv.groups)
    found: Gradients = torch.ops.aten.convolution_backward(gradient, images, weight, of_bias, *geometry, wanted)
    return found


def _are_windows(conv: nn.Conv2d, products: Tensor) -> bool:
    """Whether `conv` looks at images through windows of one row, as a line's steps do."""
    return conv.padding == (0, 0) and products.shape[2] == 1


def _of_windows(of_rows: Tensor, images: Tensor, conv: nn.Conv2d) -> Tensor:
    """That of the weight (F, C, KH, KW), as one product of matrices: oneDNN's takes twice to four times as long."""
    height, width = conv.kernel_size
    count, channels, _, _ = images.shape
    steps, stride = len(of_rows) // count, conv.stride[1]
    pixels = images.permute(0, 2, 3, 1)[:, :height]
    windows = images.new_empty(count, steps, height, width, channels)
    for column in range(width):
        seen = pixels[:, :, column : column + stride * (steps - 1) + 1 : stride]
        windows[:, :, :, column] = seen.transpose(1, 2)
    products = of_rows.t() @ windows.flatten(2).flatten(0, 1)
    return products.view(-1, height, width, channels).permute(0, 3, 1, 2)
