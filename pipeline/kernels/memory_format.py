"""How images lie in memory, and how wide."""

import torch
from torch import Tensor

from pipeline.common.geometry import round_up

PLANNED_WIDTHS = {"cuda": 64}
"""Pixels between the widths that are computed on a device: cuDNN plans every new one for 0.05 s, seven steps' time."""


def planned_width(needed: int, device: torch.device) -> int:
    """The least width of at least `needed` pixels that `device` is to compute."""
    return round_up(needed, PLANNED_WIDTHS.get(device.type, 1))


def channels_last(images: Tensor) -> Tensor:
    """Images (N, C, H, W) with the channels of a pixel side by side, and strides that say so for one channel too.

    One channel lies the same in either layout. PyTorch then keeps the strides of the other one, and what follows
    goes by them: the first convolution leaves each channel a plane of its own, and the second one sorts it all.
    """
    _, channels, height, width = images.shape
    row = width * channels
    return images.contiguous(memory_format=torch.channels_last).as_strided(
        images.shape, (height * row, 1, row, channels)
    )
