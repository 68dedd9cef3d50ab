"""Where the ink of lines is, as blank paper need not be computed for each of them."""

import torch
from torch import Tensor

WORTH = 0.9
"""Parts must have less than this share of the pixels of the whole batch, or it stays whole."""


def tells_paper(images: Tensor) -> bool:
    """Whether images are looked at for ink: a GPU convolves them all before it would have told the program."""
    return not images.is_cuda


def ink_widths(images: Tensor) -> Tensor:
    """(B,) int64: the pixels of each image (B, 1, 28, W) up to its last one that is not 0."""
    inked = images.amax(dim=(1, 2)) > 0
    return (inked * torch.arange(1, images.shape[-1] + 1, device=images.device)).amax(1)


def parts_by_ink(images: Tensor, size: int) -> tuple[list[Tensor], Tensor]:
    """Images (B, 1, 28, W) in parts of at most `size` lines of like width, each cut to its widest, narrow ones first.

    And for each line its place among the lines of all parts, (B,) int64. The batch stays whole, its lines in their
    order, where parts would spare little, as they do of lines that a loader sorted by width.
    """
    widths, order = ink_widths(images).sort(stable=True)
    widest_of = [max(1, int(part[-1])) for part in torch.split(widths, size)]
    parts = list(zip(torch.split(order, size), widest_of, strict=True))
    if sum(len(rows) * width for rows, width in parts) > WORTH * len(images) * widest_of[-1]:
        return [images[..., : widest_of[-1]]], torch.arange(len(images))
    return [images[rows, ..., :width] for rows, width in parts], order.argsort()
