"""What an objective is: a target encoding, a loss and a decoder."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.common import vocabulary
from pipeline.common.geometry import Windows
from pipeline.decoding.greedy import counted_steps


class Objective(ABC):
    """Text to loss, and logits to text. Text stays `str` outside of it.

    `max_length` is T, the positions of an encoded target; with `wrap` the text stands between `<S>`
    and `<E>`. `lengths` are the steps that count for each line, a list of B numbers.
    """

    cut_to_lines: bool
    """Whether paper after a line takes no part in its loss, so that lines of like width should share a batch."""

    def __init__(self, max_length: int, *, wrap: bool = False) -> None:
        self.max_length = max_length
        self.wrap = wrap

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Targets (B, T) int64, padded with `<P>`."""
        return torch.from_numpy(vocabulary.encode_padded(texts, self.max_length, wrap=self.wrap)).long()

    @abstractmethod
    def lengths(self, windows: Windows, widths: Sequence[int]) -> list[int]:
        """Steps that count, for lines of these true widths in pixels."""

    @abstractmethod
    def loss(self, logits: Tensor, lengths: Sequence[int], texts: Sequence[str]) -> Tensor:
        """Mean loss over the batch of logits (B, C, S), a scalar."""

    def uniform_loss(self, logits: Tensor, lengths: Sequence[int]) -> Tensor:
        """Mean over the steps that count of the cross-entropy to all classes alike, a scalar.

        A share of it in the loss is label smoothing (Szegedy et al., "Rethinking the Inception Architecture for
        Computer Vision", 2016; for CTC Kim et al., "Improved Training for Online End-to-end Speech Recognition
        Systems", 2018).
        """
        counted = torch.from_numpy(counted_steps(logits.shape[2], lengths)).to(logits.device)
        of_steps = -logits.float().log_softmax(1).mean(1)
        return (of_steps * counted).sum() / sum(lengths)

    @abstractmethod
    def decode(self, logits: Tensor, lengths: Sequence[int]) -> Tensor:
        """The most likely reading, (B, T) int64 class indices on the CPU, padded with `<P>`."""

    def statistics(self, logits: Tensor, lengths: Sequence[int]) -> dict[str, Tensor]:
        """Further scalars worth a curve, by name; none unless an objective has some."""
        return {}
