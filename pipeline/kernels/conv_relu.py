"""Convolutions with a ReLU after each, as one function on a CPU, where memory is what they wait for.

PyTorch runs a ReLU as a pass of its own over what a convolution wrote, forward and backward. oneDNN rectifies numbers
before it writes them, and nobody but this function sees a gradient between two layers, so that it is masked in place.
A NaN becomes 0, forward.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.kernels.arithmetic import arithmetic_type
from pipeline.kernels.conv_backward import gradients_of_conv
from pipeline.kernels.int_views import where_positive
from pipeline.kernels.relu import ReLU, rectify_

FUSED = "relu"
"""What oneDNN is to do with each number of a convolution, as PyTorch's compiler asks for it."""


class RectifiedConvs(nn.Sequential):
    """`convs`, and after each a ReLU. Hooks of the ReLUs, and on a CPU of any layer, are not called."""

    def __init__(self, *convs: nn.Conv2d) -> None:
        super().__init__(*(layer for conv in convs for layer in (conv, ReLU())))

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) to those of the last convolution."""
        return rectified_convs(images, [layer for layer in self if isinstance(layer, nn.Conv2d)])


def rectified_convs(images: Tensor, convs: Sequence[nn.Conv2d]) -> Tensor:
    """`images` through `convs`, which have biases, with a ReLU after each; autocast is heeded."""
    if images.device.type != "cpu":
        for conv in convs:
            images = nn.functional.relu(conv(images), inplace=True)
        return images
    images = images.to(arithmetic_type(images))
    if not torch.is_grad_enabled():
        for conv in convs:
            weight, bias = (parameter.to(images.dtype) for parameter in conv.parameters())
            images = _rectified(images, weight, bias, conv)
        return images
    parameters = [parameter for conv in convs for parameter in conv.parameters()]
    rectified: Tensor = _RectifiedConvs.apply(convs, images, *parameters)  # type: ignore[no-untyped-call]
    return rectified


class _RectifiedConvs(torch.autograd.Function):
    """Of images (N, C, H, W) and each convolution's weight and bias, of any type; all is computed in the images'."""

    @staticmethod
    def forward(ctx: Any, convs: Sequence[nn.Conv2d], images: Tensor, *parameters: Tensor) -> Tensor:
        cast = [parameter.to(images.dtype) for parameter in parameters]
        kept = [images]
        for conv, weight, bias in zip(convs, cast[::2], cast[1::2], strict=True):
            kept.append(_rectified(kept[-1], weight, bias, conv))
        ctx.convs = convs
        ctx.save_for_backward(*kept, *cast[::2])
        return kept[-1]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        kept, weights = ctx.saved_tensors[: len(ctx.convs) + 1], ctx.saved_tensors[len(ctx.convs) + 1 :]
        gradient = where_positive(gradient, kept[-1])
        gradients: list[Tensor | None] = []
        for place in reversed(range(len(ctx.convs))):
            wanted = (place > 0 or ctx.needs_input_grad[1], *ctx.needs_input_grad[2 * place + 2 : 2 * place + 4])
            of_images, *of_parameters = gradients_of_conv(
                gradient, kept[place], weights[place], ctx.convs[place], wanted
            )
            gradients = [*of_parameters, *gradients]
            if place:
                gradient = where_positive(of_images, kept[place], of_images)
        return None, of_images, *gradients


def _rectified(images: Tensor, weight: Tensor, bias: Tensor, conv: nn.Conv2d) -> Tensor:
    """What `conv`, with these weights, makes of `images`, rectified."""
    stride, padding = conv.stride, conv.padding
    if not _fuses(images.dtype):
        return rectify_(nn.functional.conv2d(images, weight, bias, stride, padding))
    fused: Tensor = torch.ops.mkldnn._convolution_pointwise(
        images, weight, bias, padding, stride, conv.dilation, conv.groups, FUSED, [], ""
    )
    return fused


def _fuses(dtype: torch.dtype) -> bool:
    """Whether oneDNN has convolutions of `dtype` on this processor."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())
