"""How images lie in memory."""

import torch
from torch import Tensor


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
