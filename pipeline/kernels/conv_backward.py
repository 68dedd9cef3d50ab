"""The gradients of a convolution on a CPU."""

from typing import Any

import torch
from torch import Tensor, nn

OutputMask = tuple[bool, bool, bool]
"""Which gradients to compute: (input, weight, bias)."""
Gradients = tuple[Any, Any, Any]
"""Tensors (input, weight, bias), or None where the output mask is False."""


def conv_backward(
    grad_output: Tensor, images: Tensor, weight: Tensor, conv: nn.Conv2d, output_mask: OutputMask
) -> Gradients:
    """The gradients of `conv`, with `weight`, on `images` (N, C, H, W), given `grad_output` (N, F, H', W')."""
    needs_input, needs_weight, needs_bias = output_mask
    if not needs_weight or not _is_one_row(conv, grad_output):
        return _aten_backward(grad_output, images, weight, conv, output_mask)
    # With the bias's gradient PyTorch would compute the weight's too.
    grad_input, _, _ = _aten_backward(grad_output, images, weight, conv, (needs_input, False, False))
    grad_rows = grad_output.permute(0, 2, 3, 1).flatten(0, 2)
    return grad_input, _one_row_grad_weight(grad_rows, images, conv), grad_rows.sum(0) if needs_bias else None


def _aten_backward(
    grad_output: Tensor, images: Tensor, weight: Tensor, conv: nn.Conv2d, output_mask: OutputMask
) -> Gradients:
    bias_sizes, geometry = [conv.out_channels], (conv.stride, conv.padding, conv.dilation, False, [0, 0], conv.groups)
    gradients: Gradients = torch.ops.aten.convolution_backward(
        grad_output, images, weight, bias_sizes, *geometry, output_mask
    )
    return gradients


def _is_one_row(conv: nn.Conv2d, outputs: Tensor) -> bool:
    """Whether the outputs are one row, as the steps of a line are, and no kernel reaches into padding."""
    return conv.padding == (0, 0) and outputs.shape[2] == 1


def _one_row_grad_weight(grad_rows: Tensor, images: Tensor, conv: nn.Conv2d) -> Tensor:
    """The gradient of the weight (F, C, KH, KW) as one matrix product; oneDNN's takes two to four times as long.

    `grad_rows` are the gradients of all outputs, (N * W', F).
    """
    height, width = conv.kernel_size
    count, channels, _, _ = images.shape
    steps, stride = len(grad_rows) // count, conv.stride[1]
    pixels = images.permute(0, 2, 3, 1)[:, :height]
    windows = images.new_empty(count, steps, height, width, channels)
    for column in range(width):
        strided = pixels[:, :, column : column + stride * (steps - 1) + 1 : stride]
        windows[:, :, :, column] = strided.transpose(1, 2)
    grad_weight = grad_rows.t() @ windows.flatten(2).flatten(0, 1)
    return grad_weight.view(-1, height, width, channels).permute(0, 3, 1, 2)
