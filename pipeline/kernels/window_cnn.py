"""The convolutional part of LineCNNSimple, up to its first linear layer.

On a CPU PyTorch runs each operation over all windows of a batch and keeps every result: the time goes into moving
gigabytes. Here a few windows at a time go through all operations, within the caches, and the backward pass computes
again what it needs, except for the first convolution's patches and the pooling's argmax. Blank windows, half of all
windows, are computed once.
"""

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from pipeline.kernels.conv_backward import conv_backward
from pipeline.kernels.dropout import Dropout
from pipeline.kernels.dropout_linear import dropout_linear_repeated
from pipeline.kernels.int_views import compute_dtype, relu_backward
from pipeline.kernels.max_pool import max_pool_backward, max_pool_relu
from pipeline.kernels.memory_format import channels_last
from pipeline.kernels.relu import ReLU, relu_

CHUNK = 32
"""Windows at a time."""


class WindowCNN(Protocol):
    """The layers, as a model has them."""

    training: bool
    conv1: nn.Conv2d
    conv2: nn.Conv2d
    relu: ReLU
    pool: nn.MaxPool2d
    dropout: Dropout
    fc1: nn.Linear


def applies(windows: Tensor) -> bool:
    """Whether `hidden` computes these windows faster: on a GPU, and on a CPU in bf16 or fp32; not in an export."""
    if torch.compiler.is_exporting():
        return False
    return windows.is_cuda or (
        windows.device.type == "cpu" and compute_dtype(windows) in (torch.bfloat16, torch.float32)
    )


def hidden(model: WindowCNN, windows: Tensor) -> Tensor:
    """Hidden units (N, fc_dim) of windows (N, 28, width), before their ReLU."""
    if windows.is_cuda:  # looking for blank windows would make the program wait for the GPU
        return all_at_once(model, windows)
    distinct, index = merge_blank(windows)
    features = window_features(distinct.unsqueeze(1), model.conv1, model.conv2)
    features, weight = _flatten_channels_last(features, model.fc1.weight)
    if not model.training:
        return nn.functional.linear(features, weight, model.fc1.bias).index_select(0, index)
    blank_count = len(index) - (len(distinct) - 1)
    products = dropout_linear_repeated(features, model.dropout, weight, blank_count)
    blank_last = index.argsort(stable=True)
    return products.index_select(0, blank_last.argsort()) + model.fc1.bias.to(products.dtype)


def all_at_once(model: WindowCNN, windows: Tensor) -> Tensor:
    """`hidden` with PyTorch's layers in the memory order of a GPU."""
    x = model.relu(model.conv1(channels_last(windows.unsqueeze(1))))
    x = model.relu(model.pool(model.conv2(x)))  # pooling first is the same function, with a quarter of the ReLUs
    features, weight = _flatten_channels_last(x, model.fc1.weight)
    return nn.functional.linear(model.dropout(features), weight, model.fc1.bias)


def _flatten_channels_last(features: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Flatten features (N, F, H, W) in their memory order to (N, H * W * F), and reorder `fc1`'s weight for them."""
    weight = weight.view(-1, *features.shape[1:])
    return features.permute(0, 2, 3, 1).flatten(1), weight.permute(0, 2, 3, 1).flatten(1)


def merge_blank(windows: Tensor) -> tuple[Tensor, Tensor]:
    """The windows (N, 28, width) with ink and one blank window at the end, and each window's index (N,) among them."""
    has_ink = windows.flatten(1).any(1)
    distinct = torch.cat((windows[has_ink], windows.new_zeros(1, *windows.shape[1:])))
    return distinct, torch.where(has_ink, has_ink.cumsum(0) - 1, len(distinct) - 1)


def window_features(windows: Tensor, conv1: nn.Conv2d, conv2: nn.Conv2d) -> Tensor:
    """`max_pool(relu(conv2(relu(conv1(windows)))))` with 3 x 3 convolutions and 2 x 2 max-pooling.

    Takes windows (N, 1, H, W) and returns features (N, F, H // 2, W // 2), channels last in memory, in autocast's dtype
    or that of the windows. The weights get gradients, summed in their own dtype; the windows get none.
    """
    windows = windows.to(compute_dtype(windows))
    features: Tensor = _WindowFeatures.apply(  # type: ignore[no-untyped-call]
        conv2, windows, conv1.weight, conv1.bias, conv2.weight, conv2.bias
    )
    return features.permute(0, 3, 1, 2)


class _WindowFeatures(torch.autograd.Function):
    """Windows (N, 1, H, W) to features (N, H // 2, W // 2, F)."""

    @staticmethod
    def forward(ctx: Any, conv2: nn.Conv2d, windows: Tensor, *parameters: Tensor) -> Tensor:
        weight1, bias1, weight2, bias2 = (parameter.to(windows.dtype) for parameter in parameters)
        matrix1 = conv1_matrix(weight1, bias1)
        count, _, height, width = windows.shape
        features = windows.new_empty(count, height // 2, width // 2, len(weight2))
        ctx.conv2, ctx.patches, ctx.argmaxes = conv2, [], []
        for chunk, pooled in zip(torch.split(windows, CHUNK), torch.split(features, CHUNK), strict=True):
            patches = conv1_patches(chunk)
            hidden1 = relu_(conv1_forward(patches, matrix1))
            convolved = nn.functional.conv2d(hidden1, weight2, bias2, padding=1)
            ctx.patches.append(patches)
            ctx.argmaxes.append(max_pool_relu(convolved.permute(0, 2, 3, 1), pooled))
        ctx.save_for_backward(features, *parameters)
        return features

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        features, *parameters = ctx.saved_tensors
        weight1, bias1, weight2, _ = (parameter.to(features.dtype) for parameter in parameters)
        matrix1 = conv1_matrix(weight1, bias1)
        gradients = [torch.zeros_like(parameter) for parameter in parameters]
        chunks = (torch.split(values, CHUNK) for values in (features, grad_output.contiguous()))
        for patches, argmax, pooled, grad_pooled in zip(ctx.patches, ctx.argmaxes, *chunks, strict=True):
            hidden1 = relu_(conv1_forward(patches, matrix1))
            grad_convolved = max_pool_backward(relu_backward(grad_pooled, pooled), argmax, patches.shape[2:])
            grad_convolved = grad_convolved.permute(0, 3, 1, 2)
            grad_hidden1, *grad2 = conv_backward(grad_convolved, hidden1, weight2, ctx.conv2, (True, True, True))
            relu_backward(grad_hidden1, hidden1, out=grad_hidden1)
            for total, part in zip(gradients, (*conv1_backward(patches, grad_hidden1), *grad2), strict=True):
                total += part
        return None, None, *gradients


# The first convolution, 3 x 3 on one channel, is a matrix product, which takes a CPU half the time of a convolution.
# Each pixel's patch has ten numbers: the nine pixels around it, 0 beyond the edges, and a 1 for the bias.


def conv1_patches(images: Tensor) -> Tensor:
    """Patches (10, N, H, W) of images (N, 1, H, W)."""
    count, _, height, width = images.shape
    padded = nn.functional.pad(images.squeeze(1), (1, 1, 1, 1))
    patches = images.new_empty(10, count, height, width)
    around = padded.unfold(1, height, 1).unfold(2, width, 1)  # (N, 3, 3, H, W)
    patches[:-1].view(3, 3, count, height, width).copy_(around.permute(1, 2, 0, 3, 4))
    patches[-1] = 1
    return patches


def conv1_matrix(weight: Tensor, bias: Tensor) -> Tensor:
    """The matrix (10, F) of a weight (F, 1, 3, 3) and a bias (F,)."""
    return torch.cat((weight.flatten(1), bias.unsqueeze(1)), dim=1).t().contiguous()


def conv1_forward(patches: Tensor, matrix: Tensor) -> Tensor:
    """The convolution's output (N, F, H, W), channels last in memory."""
    products = patches.flatten(1).t() @ matrix
    return products.view(*patches.shape[1:], -1).permute(0, 3, 1, 2)


def conv1_backward(patches: Tensor, grad_output: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of the weight (F, 1, 3, 3) and the bias (F,), given `grad_output` (N, F, H, W)."""
    grad_matrix = patches.flatten(1) @ grad_output.permute(0, 2, 3, 1).flatten(0, 2)
    return grad_matrix[:-1].t().reshape(-1, 1, 3, 3), grad_matrix[-1]
