"""Convolutions with a ReLU after each as one function on a CPU, where memory is the bottleneck.

PyTorch runs a ReLU as a separate pass over the convolution's output, forward and backward. Here oneDNN applies it
before it writes the output, and the gradient between two layers, which nothing else sees, is masked in place.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.kernels.conv_backward import conv_backward
from pipeline.kernels.int_views import compute_dtype, relu_backward
from pipeline.kernels.relu import relu_


def applies(images: Tensor) -> bool:
    """Whether `conv_relu` can compute `images`: on a CPU, in any floating-point dtype, but not in an export."""
    return images.device.type == "cpu" and not torch.compiler.is_exporting()


def conv_relu(images: Tensor, convs: Sequence[nn.Conv2d]) -> Tensor:
    """Apply `convs`, which have biases, to `images` (N, C, H, W), with a ReLU after each; autocast applies.

    Module hooks are not called. NaN becomes 0 in the forward pass.
    """
    images = images.to(compute_dtype(images))
    if torch.is_grad_enabled():
        parameters = [parameter for conv in convs for parameter in conv.parameters()]
        output: Tensor = _ConvReLU.apply(convs, images, *parameters)  # type: ignore[no-untyped-call]
        return output
    for conv in convs:
        weight, bias = (parameter.to(images.dtype) for parameter in conv.parameters())
        images = _fused(images, weight, bias, conv)
    return images


class _ConvReLU(torch.autograd.Function):
    """Takes images (N, C, H, W) and each convolution's weight and bias; computes in the images' dtype."""

    @staticmethod
    def forward(ctx: Any, convs: Sequence[nn.Conv2d], images: Tensor, *parameters: Tensor) -> Tensor:
        cast = [parameter.to(images.dtype) for parameter in parameters]
        activations = [images]
        for conv, weight, bias in zip(convs, cast[::2], cast[1::2], strict=True):
            activations.append(_fused(activations[-1], weight, bias, conv))
        ctx.convs = convs
        ctx.save_for_backward(*activations, *cast[::2])
        return activations[-1]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        layers = len(ctx.convs)
        activations, weights = ctx.saved_tensors[: layers + 1], ctx.saved_tensors[layers + 1 :]
        gradient = relu_backward(grad_output, activations[-1])
        gradients: list[Tensor | None] = []
        for layer in reversed(range(layers)):
            output_mask = (layer > 0 or ctx.needs_input_grad[1], *ctx.needs_input_grad[2 * layer + 2 : 2 * layer + 4])
            grad_input, *grad_parameters = conv_backward(
                gradient, activations[layer], weights[layer], ctx.convs[layer], output_mask
            )
            gradients = [*grad_parameters, *gradients]
            if layer:
                gradient = relu_backward(grad_input, activations[layer], out=grad_input)
        return None, grad_input, *gradients


def _fused(images: Tensor, weight: Tensor, bias: Tensor, conv: nn.Conv2d) -> Tensor:
    """`relu(conv(images))` with these parameters."""
    stride, padding = conv.stride, conv.padding
    if not _onednn_fuses(images.dtype):
        return relu_(nn.functional.conv2d(images, weight, bias, stride, padding))
    # What PyTorch's compiler calls for a convolution with a ReLU.
    output: Tensor = torch.ops.mkldnn._convolution_pointwise(
        images, weight, bias, padding, stride, conv.dilation, conv.groups, "relu", [], ""
    )
    return output


def _onednn_fuses(dtype: torch.dtype) -> bool:
    """Whether oneDNN has convolutions of `dtype` on this processor."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())
