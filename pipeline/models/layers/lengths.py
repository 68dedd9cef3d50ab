"""The number of steps of each line: plain numbers, or a tensor that a CUDA graph reads at each replay."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class DeviceLengths:
    """Lengths that only the device knows, as they change with each replay of a CUDA graph.

    The graph's operations must not depend on them, only on the number of computed steps.
    """

    numbers: Tensor
    """(B,) int64 on the device, none above `longest`."""
    longest: int
    """S, the number of computed steps."""


Lengths = Sequence[int] | DeviceLengths


def longest(lengths: Lengths) -> int:
    """S, the number of steps that a batch of lines needs."""
    return lengths.longest if isinstance(lengths, DeviceLengths) else max(lengths)


def lengths_on(lengths: Lengths, device: torch.device) -> Tensor:
    """(B,) int64 on `device`."""
    return lengths.numbers if isinstance(lengths, DeviceLengths) else torch.tensor(lengths, device=device)


def some_are_shorter(lengths: Lengths, steps: int) -> bool:
    """Whether a line may end before `steps`."""
    return isinstance(lengths, DeviceLengths) or min(lengths) < steps
