"""The hypotheses of a beam search between two steps."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from pipeline.common.vocabulary import BLANK

NEG_INF = -torch.inf
HASH_MULTIPLIER = 6364136223846793005
"""Knuth's multiplier for a linear congruential generator modulo 2^64. Texts are compared by hash."""
EMPTY_TEXT_HASH = 1
NO_PARENT = 0
"""Parent hash of the empty text and of unused slots; no text has this hash."""


@dataclass(frozen=True)
class Beam:
    """K hypotheses for each of B lines; every tensor is (B, K)."""

    blank: Tensor
    """Log-probability of the alignments that end with a blank."""
    non_blank: Tensor
    """Log-probability of the alignments that end with the last character."""
    last: Tensor
    """Class of the last character, `BLANK` for the empty text."""
    prefix: Tensor
    """Hash of the text."""
    parent: Tensor
    """Hash of the text without its last character."""
    context: Tensor
    """Context of the language model."""
    lm: Tensor
    """Log-probability of the language model."""
    rewards: Tensor
    """Sum of length bonus and prior over the characters."""

    def gather(self, slots: Tensor) -> "Beam":
        """The hypotheses in these slots (B, K)."""
        return Beam(*(getattr(self, field.name).take_along_dim(slots, 1) for field in fields(self)))

    @property
    def total(self) -> Tensor:
        """Log-probability of all alignments."""
        return torch.logaddexp(self.blank, self.non_blank)


def initial_beam(lines: int, width: int, start_context: int) -> Beam:
    """The empty text in the first slot of each line, at the language model's context; the other slots are unused."""
    impossible = torch.full((lines, width), NEG_INF, dtype=torch.float64)
    blank = impossible.clone()
    blank[:, 0] = 0
    zeros = torch.zeros((lines, width), dtype=torch.int64)
    return Beam(
        blank=blank,
        non_blank=impossible,
        last=zeros + BLANK,
        prefix=torch.where(blank == 0, EMPTY_TEXT_HASH, unused_hashes(width)),
        parent=zeros + NO_PARENT,
        context=zeros + start_context,
        lm=torch.zeros_like(impossible),
        rewards=torch.zeros_like(impossible),
    )


def unused_hashes(width: int) -> Tensor:
    """(K,) distinct hashes for slots without a hypothesis."""
    return -2 - torch.arange(width)


def extend_hash(prefix: Tensor, character: Tensor) -> Tensor:
    """The hash of a text with one more character; int64 overflow wraps around."""
    return (prefix ^ (prefix >> 29)) * HASH_MULTIPLIER + character
