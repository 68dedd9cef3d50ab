"""The convolutional part of LineCNNSimple for a CPU, in bf16 or fp32: a few windows at a time, within the caches.

PyTorch runs each operation over all windows of a batch before the next one, and keeps every result: the
machine spends its time moving gigabytes. Here a chunk of windows goes through all operations at once;
what the backward pass needs of it is computed again or kept in four bytes for each pooled value.
"""

from typing import Any

import torch
from torch import Tensor, nn

from pipeline.models.layout import channels_last
from pipeline.models.relu import rectify_

CHUNK = 32
"""Windows at a time."""
_CELL = [2, 2]
_ONE = [1, 1]
_NONE = [0, 0]


def window_features(windows: Tensor, conv1: nn.Conv2d, conv2: nn.Conv2d) -> Tensor:
    """Features (N, F, 14, width // 2) of windows (N, 1, 28, width): bf16 under autocast, else of the windows' type.

    They are `relu(pool(conv2(relu(conv1(windows)))))` with 3 x 3 convolutions and 2 x 2 max-pooling. The
    gradient reaches the weights, summed up in fp32, and not the windows.
    """
    features: Tensor = _WindowFeatures.apply(  # type: ignore[no-untyped-call]
        channels_last(windows.to(arithmetic_type(windows))),
        conv1.weight,
        conv1.bias,
        conv2.weight,
        conv2.bias,
    )
    return features


def arithmetic_type(values: Tensor) -> torch.dtype:
    """What convolutions of `values` on a CPU are computed in: the type of autocast, or their own."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else values.dtype


class _WindowFeatures(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, windows: Tensor, *parameters: Tensor) -> Tensor:
        weight1, bias1, weight2, bias2 = _as(windows.dtype, parameters)
        pooled, places = [], []
        for chunk in torch.split(windows, CHUNK):
            hidden = rectify_(nn.functional.conv2d(chunk, weight1, bias1, padding=1))
            # Pooling before the ReLU gives the same values as the lecture's order, on a quarter of the pixels.
            values, place = torch.ops.aten.max_pool2d_with_indices(
                nn.functional.conv2d(hidden, weight2, bias2, padding=1), _CELL
            )
            pooled.append(rectify_(values))
            places.append(place.to(torch.int32))
        features = torch.cat(pooled)
        ctx.save_for_backward(windows, features, *parameters)
        ctx.places = places
        return features

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        windows, features, *parameters = ctx.saved_tensors
        weight1, bias1, weight2, _ = _as(windows.dtype, parameters)
        sums = [torch.zeros_like(parameter) for parameter in parameters]
        chunks = (torch.split(values, CHUNK) for values in (windows, features, channels_last(gradient)))
        for chunk, values, of_values, place in zip(*chunks, ctx.places, strict=True):
            hidden = rectify_(nn.functional.conv2d(chunk, weight1, bias1, padding=1))
            of_convolved = _unpool(torch.ops.aten.threshold_backward(of_values, values, 0), place.long(), hidden)
            of_hidden, *second = _conv_backward(of_convolved, hidden, weight2, to_input=True)
            of_hidden = torch.ops.aten.threshold_backward(of_hidden, hidden, 0)
            _, *first = _conv_backward(of_hidden, chunk, weight1, to_input=False)
            for total, part in zip(sums, (*first, *second), strict=True):
                total += part
        return None, *sums


def _as(dtype: torch.dtype, parameters: tuple[Tensor, ...] | list[Tensor]) -> list[Tensor]:
    return [parameter.detach().to(dtype) for parameter in parameters]


def _unpool(gradient: Tensor, places: Tensor, pixels: Tensor) -> Tensor:
    """The gradient of max-pooling over `pixels`, of which only shape, type and layout count."""
    spread: Tensor = torch.ops.aten.max_pool2d_with_indices_backward(
        gradient, pixels, _CELL, _CELL, _NONE, _ONE, False, places
    )
    return spread


def _conv_backward(gradient: Tensor, inputs: Tensor, weight: Tensor, *, to_input: bool) -> tuple[Tensor, ...]:
    """Gradients of a 3 x 3 convolution with padding 1: of its inputs, weight and bias."""
    sides = (_ONE, _ONE, _ONE, False, _NONE, 1)
    gradients: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
        gradient, inputs, weight, [len(weight)], *sides, [to_input, True, True]
    )
    return gradients
