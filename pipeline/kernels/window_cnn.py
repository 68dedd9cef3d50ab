"""The convolutional part of LineCNNSimple for a CPU, in bf16 or fp32: a few windows at a time, within the caches.

PyTorch runs each operation over all windows of a batch before the next one, and keeps every result: the
machine spends its time moving gigabytes. Here a chunk of windows goes through all operations at once;
what the backward pass needs of it is computed again, but for the taps and where each maximum of a pool comes from.
"""

from typing import Any

import torch
from torch import Tensor, nn

from pipeline.kernels.arithmetic import arithmetic_type
from pipeline.kernels.conv_backward import gradients_of_conv
from pipeline.kernels.first_conv import convolve, gradients_of, taps_of, weights_and_bias
from pipeline.kernels.int_views import bits_of, where_positive
from pipeline.kernels.relu import rectify_

CHUNK = 32
"""Windows at a time."""


def window_features(windows: Tensor, conv1: nn.Conv2d, conv2: nn.Conv2d) -> Tensor:
    """Features (N, F, 14, width // 2) of windows (N, 1, 28, width): bf16 under autocast, else of the windows' type.

    They are `relu(pool(conv2(relu(conv1(windows)))))` with 3 x 3 convolutions and 2 x 2 max-pooling, channels
    last in memory. The gradient reaches the weights, summed up in fp32, and not the windows.
    """
    features: Tensor = _WindowFeatures.apply(  # type: ignore[no-untyped-call]
        conv2,
        windows.to(arithmetic_type(windows)),
        conv1.weight,
        conv1.bias,
        conv2.weight,
        conv2.bias,
    )
    return features.permute(0, 3, 1, 2)


class _WindowFeatures(torch.autograd.Function):
    """Windows (N, 1, 28, width) to features (N, 14, width // 2, F)."""

    @staticmethod
    def forward(ctx: Any, conv2: nn.Conv2d, windows: Tensor, *parameters: Tensor) -> Tensor:
        weight1, bias1, weight2, bias2 = _as(windows.dtype, parameters)
        first = weights_and_bias(weight1, bias1)
        count, _, height, width = windows.shape
        features = windows.new_empty(count, height // 2, width // 2, len(weight2))
        ctx.conv2, ctx.taps, ctx.places = conv2, [], []
        for chunk, pooled in zip(torch.split(windows, CHUNK), torch.split(features, CHUNK), strict=True):
            ctx.taps.append(taps_of(chunk))
            hidden = rectify_(convolve(ctx.taps[-1], first))
            convolved = nn.functional.conv2d(hidden, weight2, bias2, padding=1)
            ctx.places.append(_pool(convolved.permute(0, 2, 3, 1), pooled))
        ctx.save_for_backward(features, *parameters)
        return features

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        features, *parameters = ctx.saved_tensors
        weight1, bias1, weight2, _ = _as(features.dtype, parameters)
        first = weights_and_bias(weight1, bias1)
        sums = [torch.zeros_like(parameter) for parameter in parameters]
        chunks = (torch.split(values, CHUNK) for values in (features, gradient.contiguous()))
        for taps, places, values, of_values in zip(ctx.taps, ctx.places, *chunks, strict=True):
            hidden = rectify_(convolve(taps, first))
            of_convolved = _unpool(where_positive(of_values, values), places, taps.shape[2:])
            of_convolved = of_convolved.permute(0, 3, 1, 2)
            of_hidden, *second = gradients_of_conv(of_convolved, hidden, weight2, ctx.conv2, (True, True, True))
            where_positive(of_hidden, hidden, of_hidden)
            for total, part in zip(sums, (*gradients_of(taps, of_hidden), *second), strict=True):
                total += part
        return None, None, *sums


def _as(dtype: torch.dtype, parameters: tuple[Tensor, ...] | list[Tensor]) -> list[Tensor]:
    return [parameter.detach().to(dtype) for parameter in parameters]


def _pool(values: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor]:
    """The rectified maximum of each 2 x 2 pixels of `values` (N, H, W, F), written to `pooled`.

    Returns where it comes from, as integers 1 or 0: (N, H, W / 2, F) whether the right one of two pixels is larger than
    the left one, and (N, H / 2, W / 2, F) whether the lower pair has a larger one than the upper. The first of equal
    pixels counts; where all are negative, any may, as the ReLU lets no gradient pass.
    """
    # As integers, the numbers that are not negative are in their order, and above all negative ones: so the ReLU can
    # wait until a quarter of the values is left.
    bits, pooled = bits_of(values), bits_of(pooled)
    height, width = pooled.shape[1] * 2, pooled.shape[2] * 2
    left, right = bits[:, :height, 0:width:2], bits[:, :height, 1:width:2]
    pairs = torch.maximum(left, right)
    upper, lower = pairs[:, 0::2], pairs[:, 1::2]
    torch.maximum(upper, lower, out=pooled).clamp_(min=0)
    return _exceeds(right, left), _exceeds(lower, upper)


def _unpool(gradient: Tensor, places: tuple[Tensor, Tensor], size: torch.Size) -> Tensor:
    """The gradient (N, H, W, F) of what was pooled; `size` is (H, W)."""
    height, width = size
    spread = (torch.zeros if height % 2 or width % 2 else torch.empty)(
        (len(gradient), height, width, gradient.shape[3]), dtype=gradient.dtype
    )
    from_right, from_lower = places
    bits, given = bits_of(spread), bits_of(gradient)
    of_pairs = torch.empty(from_right.shape, dtype=given.dtype)
    _share(given, from_lower, of_pairs[:, 0::2], of_pairs[:, 1::2])
    height, width = of_pairs.shape[1], of_pairs.shape[2] * 2
    _share(of_pairs, from_right, bits[:, :height, 0:width:2], bits[:, :height, 1:width:2])
    return spread


def _exceeds(one: Tensor, other: Tensor) -> Tensor:
    """1 where `one` is larger, else 0: of their type, which is far faster to compute and to multiply by than bool."""
    return torch.gt(one, other, out=torch.empty(one.shape, dtype=one.dtype))


def _share(given: Tensor, to_second: Tensor, first: Tensor, second: Tensor) -> None:
    """Write each number to `second` where `to_second` is 1, to `first` where it is 0, and zero to the other."""
    torch.mul(given, to_second, out=second)
    torch.bitwise_xor(given, second, out=first)
