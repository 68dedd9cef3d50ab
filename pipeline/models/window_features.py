"""The convolutional part of LineCNNSimple for bf16 on a CPU: a few windows at a time, within the caches.

PyTorch runs each operation over all windows of a batch before the next one, and keeps every result: the
machine spends its time moving gigabytes. Here a chunk of windows goes through all operations at once;
what the backward pass needs of it is computed again or kept in one byte for each pooled value.
"""

from typing import Any

import torch
from torch import Tensor, nn

from pipeline.models.relu import rectify_bf16_

CHUNK = 128
"""Windows at a time."""
_ONE = [1, 1]
_NONE = [0, 0]
_NOWHERE = 4
"""Bit of the code of a pooled value that no pixel gets a gradient from, as it is not positive."""


def window_features(windows: Tensor, conv1: nn.Conv2d, conv2: nn.Conv2d) -> Tensor:
    """Features (N, F, 14, width // 2) bf16 of windows (N, 1, 28, width).

    They are `relu(pool(conv2(relu(conv1(windows)))))` with 3 x 3 convolutions and 2 x 2 max-pooling. The
    gradient reaches the weights, summed up in fp32, and not the windows.
    """
    features: Tensor = _WindowFeatures.apply(  # type: ignore[no-untyped-call]
        windows.bfloat16().contiguous(memory_format=torch.channels_last),
        conv1.weight,
        conv1.bias,
        conv2.weight,
        conv2.bias,
    )
    return features


class _WindowFeatures(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, windows: Tensor, *parameters: Tensor) -> Tensor:
        weight1, bias1, weight2, bias2 = _in_bf16(parameters)
        pooled, codes = [], []
        for chunk in torch.split(windows, CHUNK):
            hidden = rectify_bf16_(nn.functional.conv2d(chunk, weight1, bias1, padding=1))
            values, code = _pool(rectify_bf16_(nn.functional.conv2d(hidden, weight2, bias2, padding=1)))
            pooled.append(values)
            codes.append(code)
        ctx.save_for_backward(windows, *parameters)
        ctx.codes = codes
        return torch.cat(pooled)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        windows, *parameters = ctx.saved_tensors
        weight1, bias1, weight2, _ = _in_bf16(parameters)
        sums = [torch.zeros_like(parameter) for parameter in parameters]
        rows = torch.split(gradient.contiguous(memory_format=torch.channels_last), CHUNK)
        for chunk, code, of_pooled in zip(torch.split(windows, CHUNK), ctx.codes, rows, strict=True):
            hidden = rectify_bf16_(nn.functional.conv2d(chunk, weight1, bias1, padding=1))
            of_values = _unpool(of_pooled, code, hidden.shape[-1])
            of_hidden, *second = _conv_backward(of_values, hidden, weight2, to_input=True)
            of_hidden = torch.ops.aten.threshold_backward(of_hidden, hidden, 0)
            _, *first = _conv_backward(of_hidden, chunk, weight1, to_input=False)
            for total, part in zip(sums, (*first, *second), strict=True):
                total += part
        return None, *sums


def _in_bf16(parameters: tuple[Tensor, ...] | list[Tensor]) -> list[Tensor]:
    return [parameter.detach().bfloat16() for parameter in parameters]


def _quarters(values: Tensor) -> list[Tensor]:
    """The four pixels of every 2 x 2 cell of (N, F, H, W), row by row; an odd last column is left out."""
    width = values.shape[-1] // 2 * 2
    return [values[:, :, row::2, column:width:2] for row in (0, 1) for column in (0, 1)]


def _pool(values: Tensor) -> tuple[Tensor, Tensor]:
    """The largest of each 2 x 2 cell, and in int8 which of the four it is: the first one, as PyTorch has it.

    `values` are bf16 and not negative, so their bits as integers are in the same order. Neighbours of a row are
    compared first: what is left lies together in memory, row by row.
    """
    height, width = values.shape[2] // 2, values.shape[3] // 2
    bits = values.view(torch.int16).permute(0, 2, 3, 1)
    pairs = torch.unflatten(bits[:, :, : 2 * width], 2, (width, 2))
    row_largest = torch.maximum(pairs[:, :, :, 0], pairs[:, :, :, 1])
    right = _is_less(pairs[:, :, :, 0], row_largest)
    top, bottom = torch.unflatten(row_largest, 1, (height, 2)).unbind(2)
    right_of_top, right_of_bottom = torch.unflatten(right, 1, (height, 2)).unbind(2)
    largest = torch.maximum(top, bottom)
    lower = _is_less(top, largest)
    code = (right_of_top ^ right_of_bottom).bitwise_and_(lower).bitwise_xor_(right_of_top).bitwise_and_(1)
    code.bitwise_or_(lower.bitwise_and_(2))
    code.bitwise_or_(_is_less(largest, 1).bitwise_and_(_NOWHERE))
    return largest.permute(0, 3, 1, 2).view(values.dtype), code.permute(0, 3, 1, 2).to(torch.int8)


def _is_less(one: Tensor, other: Tensor | int) -> Tensor:
    """All ones where `one` is smaller, else zero; int16, both of the same sign."""
    return (one - other).bitwise_right_shift_(15)


def _unpool(gradient: Tensor, code: Tensor, width: int) -> Tensor:
    """The gradient of `_pool`: each value goes to the pixel that its code names."""
    shape = (*gradient.shape[:2], 2 * gradient.shape[2], width)
    spread = torch.empty(shape, dtype=gradient.dtype, memory_format=torch.channels_last)
    if width % 2:
        spread[..., -1] = 0
    bits, wide = gradient.view(torch.int16), code.to(torch.int16)
    for number, quarter in enumerate(_quarters(spread.view(torch.int16))):
        mask = (wide ^ number).sub_(1).bitwise_right_shift_(15)
        torch.bitwise_and(bits, mask, out=mask)
        quarter.copy_(mask)
    return spread


def _conv_backward(gradient: Tensor, inputs: Tensor, weight: Tensor, *, to_input: bool) -> tuple[Tensor, ...]:
    """Gradients of a 3 x 3 convolution with padding 1: of its inputs, weight and bias."""
    sides = (_ONE, _ONE, _ONE, False, _NONE, 1)
    gradients: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
        gradient, inputs, weight, [len(weight)], *sides, [to_input, True, True]
    )
    return gradients
