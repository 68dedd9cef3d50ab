"""A 3 x 3 convolution of images of one channel as one matrix product, which takes a CPU half the time of a convolution.

Each pixel has ten taps: the nine pixels around it, 0 beyond the edges, and a 1 that the bias is multiplied by.
"""

import torch
from torch import Tensor, nn

_TAPS = 10


def taps_of(images: Tensor) -> Tensor:
    """(10, N, H, W) of images (N, 1, H, W)."""
    count, _, height, width = images.shape
    padded = nn.functional.pad(images.squeeze(1), (1, 1, 1, 1))
    taps = images.new_empty(_TAPS, count, height, width)
    around = padded.unfold(1, height, 1).unfold(2, width, 1)  # (N, 3, 3, H, W)
    taps[:-1].view(3, 3, count, height, width).copy_(around.permute(1, 2, 0, 3, 4))
    taps[-1] = 1
    return taps


def weights_and_bias(weight: Tensor, bias: Tensor) -> Tensor:
    """The matrix (10, F) that taps are multiplied by, of a weight (F, 1, 3, 3) and a bias (F,)."""
    return torch.cat((weight.flatten(1), bias.unsqueeze(1)), dim=1).t().contiguous()


def convolve(taps: Tensor, matrix: Tensor) -> Tensor:
    """(N, F, H, W), channels last in memory, of the images whose taps these are."""
    products = taps.flatten(1).t() @ matrix
    return products.view(*taps.shape[1:], -1).permute(0, 3, 1, 2)


def gradients_of(taps: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Of the weight (F, 1, 3, 3) and the bias (F,), from the gradient (N, F, H, W) of `convolve`."""
    of_matrix = taps.flatten(1) @ gradient.permute(0, 2, 3, 1).flatten(0, 2)
    return of_matrix[:-1].t().reshape(-1, 1, 3, 3), of_matrix[-1]
