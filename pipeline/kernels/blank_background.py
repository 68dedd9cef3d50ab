"""The blank background right of a line, which is computed once instead of for each step."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pipeline.common.geometry import Windows
from pipeline.kernels.memory_format import rounded_width

PART_SIZE = 16
"""Lines of similar width that a CPU computes together."""
WORTH_SPLITTING = 0.9
"""A batch is split only if its parts have less than this fraction of its pixels."""


def extend(features: Callable[[Tensor], Tensor], images: Tensor, windows: Windows, steps: int) -> Tensor:
    """Features (B, F, `steps`), as if the background right of the images went on without end.

    `features` maps images (B, 1, 28, W) to (B, F, S), and `windows` says which pixels each of its steps depends on.
    A CPU also splits the batch: in a batch of random lines, the average width is half the largest width.
    """
    if torch.compiler.is_exporting():  # the graph of an export cannot depend on values
        missing = windows.width_for(steps) - images.shape[-1]
        return features(nn.functional.pad(images, (0, missing)))[..., :steps]
    if images.is_cuda:  # looking for ink would make the program wait for the GPU
        return _extend_part(features, images, windows, steps)
    parts, index = split_by_width(images, PART_SIZE)
    extended = [_extend_part(features, part, windows, steps) for part in parts]
    return extended[0] if len(parts) == 1 else torch.cat(extended).index_select(0, index)


def _extend_part(features: Callable[[Tensor], Tensor], images: Tensor, windows: Windows, steps: int) -> Tensor:
    """Compute the steps up to the first one that sees only background, and repeat that one.

    Steps that depend on the zero padding at the right edge are not used.
    """
    computed = min(steps, windows.first_blank_step(images.shape[-1]) + 1)
    missing = rounded_width(windows.width_for(computed), images.device) - images.shape[-1]
    own = features(nn.functional.pad(images, (0, missing)))[..., :computed]
    blank = own[..., -1:].expand(-1, -1, steps - computed)
    return torch.cat((own, blank), dim=-1)


def split_by_width(images: Tensor, size: int) -> tuple[list[Tensor], Tensor]:
    """Split images (B, 1, 28, W) into parts of at most `size` lines of similar width, narrow lines first.

    Each part is cut to its widest line. The second result (B,) int64 is each line's index in the concatenated parts.
    The batch stays whole and in its order where splitting saves little, as with lines that a loader sorted by width.
    """
    widths, order = ink_widths(images).sort(stable=True)
    part_widths = [max(1, int(part[-1])) for part in torch.split(widths, size)]
    parts = list(zip(torch.split(order, size), part_widths, strict=True))
    if sum(len(rows) * width for rows, width in parts) > WORTH_SPLITTING * len(images) * part_widths[-1]:
        return [images[..., : part_widths[-1]]], torch.arange(len(images))
    return [images[rows, ..., :width] for rows, width in parts], order.argsort()


def ink_widths(images: Tensor) -> Tensor:
    """The width (B,) int64 of each image (B, 1, 28, W) up to its last column with ink; 0 without ink."""
    has_ink = images.amax(dim=(1, 2)) > 0
    return (has_ink * torch.arange(1, images.shape[-1] + 1, device=images.device)).amax(1)
