"""What an objective is: a target encoding, a loss and a decoder."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.common.geometry import Windows
from pipeline.common.vocabulary import Vocabulary
from pipeline.decoding.greedy import valid_steps


class Objective(ABC):
    """Computes a loss from texts and logits, and texts from logits. Only objectives turn `str` into class indices.

    The classes are those of `vocabulary`. `max_length` is T, the length of encoded targets. With `wrap`, targets begin
    with `<S>` and end with `<E>`.
    `lengths` below are B numbers: how many of the S steps count for each line.
    """

    cut_to_lines: bool
    """Whether the background right of a line is left out of the loss, so that batches hold lines of similar width."""

    def __init__(self, vocabulary: Vocabulary, max_length: int, *, wrap: bool = False) -> None:
        self.vocabulary = vocabulary
        self.max_length = max_length
        self.wrap = wrap

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Targets (B, T) int64, padded with `<P>`; `UNKNOWN` for characters that the vocabulary lacks."""
        rows = self.vocabulary.encode_padded(texts, self.max_length, wrap=self.wrap, allow_unknown=True)
        return torch.from_numpy(rows)

    @abstractmethod
    def lengths(self, windows: Windows, widths: Sequence[int]) -> list[int]:
        """How many steps count for each line, from the lines' own widths in pixels."""

    @abstractmethod
    def loss(self, logits: Tensor, lengths: Sequence[int], texts: Sequence[str]) -> Tensor:
        """Mean loss of a batch, a scalar, from logits (B, C, S)."""

    def uniform_loss(self, logits: Tensor, lengths: Sequence[int]) -> Tensor:
        """Mean cross-entropy between the uniform distribution and the steps that count, a scalar.

        Label smoothing adds a fraction of it to the loss (Szegedy et al., "Rethinking the Inception Architecture for
        Computer Vision", 2016; for CTC Kim et al., "Improved Training for Online End-to-end Speech Recognition
        Systems", 2018).
        """
        counted = valid_steps(logits.shape[2], lengths).to(logits.device)
        step_losses = -logits.float().log_softmax(1).mean(1)
        return (step_losses * counted).sum() / sum(lengths)

    @abstractmethod
    def decode(self, logits: Tensor, lengths: Sequence[int]) -> Tensor:
        """Predicted class indices (B, T) int64 on the CPU, padded with `<P>`."""

    def texts(self, classes: Tensor) -> list[str]:
        """The texts of class indices (B, T)."""
        return self.vocabulary.decode_rows(classes.numpy())

    def statistics(self, logits: Tensor, lengths: Sequence[int]) -> dict[str, Tensor]:
        """Further scalars to log, by name. None by default."""
        return {}
