"""How many steps of each line count: plain numbers, or those of a recorded graph, which it may not depend on."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class DeviceLengths:
    """Lengths that only the device knows: other ones each time that a graph is replayed.

    What a graph's operations are must not depend on them, but for the steps that it has room for.
    """

    numbers: Tensor
    """(B,) int64 on the device, none above `longest`."""
    longest: int
    """S: steps that are computed."""


Lengths = Sequence[int] | DeviceLengths


def longest(lengths: Lengths) -> int:
    """The steps that a batch of lines needs, S."""
    return lengths.longest if isinstance(lengths, DeviceLengths) else max(lengths)


def lengths_on(lengths: Lengths, device: torch.device) -> Tensor:
    """(B,) int64 on `device`."""
    return lengths.numbers if isinstance(lengths, DeviceLengths) else torch.tensor(lengths, device=device)


def some_are_shorter(lengths: Lengths, steps: int) -> bool:
    """Whether any line may end before `steps`."""
    return isinstance(lengths, DeviceLengths) or min(lengths) < steps
