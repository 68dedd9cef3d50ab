"""How images lie in memory, and in which widths they are computed."""

import torch
from torch import Tensor

from pipeline.common.geometry import round_up

WIDTH_MULTIPLES = {"cuda": 64}
"""Image widths in pixels are rounded up to a multiple of this, by device: cuDNN plans each new width for 0.05 s, the
time of seven training steps."""


def rounded_width(pixels: int, device: torch.device) -> int:
    """Round a width up to the multiple that `device` computes."""
    return round_up(pixels, WIDTH_MULTIPLES.get(device.type, 1))


def channels_last(images: Tensor) -> Tensor:
    """Images (N, C, H, W) in channels-last memory format, with channels-last strides even for C = 1.

    With one channel both formats are the same bytes, and PyTorch keeps the strides of the other one. The first
    convolution would follow these strides, and the second one would convert its output.
    """
    _, channels, height, width = images.shape
    row = width * channels
    return images.contiguous(memory_format=torch.channels_last).as_strided(
        images.shape, (height * row, 1, row, channels)
    )
