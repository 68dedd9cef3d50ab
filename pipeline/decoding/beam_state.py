"""The hypotheses of a beam between two steps."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from pipeline.common.vocabulary import BLANK
from pipeline.decoding.language_model.model import START

NEVER = -torch.inf
MULTIPLIER, ROOT = 6364136223846793005, 1
"""Knuth's, of a linear congruential generator modulo 2^64: texts are told apart by a hash."""
ORPHAN = 0
"""Parent of the empty text and of places without a hypothesis, which no hypothesis has as its hash."""


@dataclass(frozen=True)
class Beam:
    """K hypotheses for each of B lines; every tensor is (B, K)."""

    blank: Tensor
    """Log-probability of the alignments that end with a blank."""
    written: Tensor
    """Log-probability of those that end with the last character."""
    last: Tensor
    """Class of the last character, `BLANK` for the empty text."""
    prefix: Tensor
    """Hash of the text."""
    parent: Tensor
    """Hash of the text without its last character."""
    context: Tensor
    """What the language model goes by."""
    lm: Tensor
    rewards: Tensor
    """What its characters add to its score, each by itself."""

    def at(self, places: Tensor) -> "Beam":
        """The hypotheses at these places (B, K)."""
        return Beam(*(getattr(self, field.name).take_along_dim(places, 1) for field in fields(self)))

    @property
    def total(self) -> Tensor:
        """Log-probability of all alignments."""
        return torch.logaddexp(self.blank, self.written)


def empty_beam(lines: int, width: int) -> Beam:
    """One hypothesis, the empty text; the other places are free."""
    nothing = torch.full((lines, width), NEVER, dtype=torch.float64)
    blank = nothing.clone()
    blank[:, 0] = 0
    zeros = torch.zeros((lines, width), dtype=torch.int64)
    return Beam(
        blank=blank,
        written=nothing,
        last=zeros + BLANK,
        prefix=torch.where(blank == 0, ROOT, free_places(width)),
        parent=zeros + ORPHAN,
        context=zeros + START,
        lm=torch.zeros_like(nothing),
        rewards=torch.zeros_like(nothing),
    )


def free_places(width: int) -> Tensor:
    """(K,) hashes for places without a hypothesis, no two alike."""
    return -2 - torch.arange(width)


def hash_of(prefix: Tensor, character: Tensor) -> Tensor:
    """Of a text with one more character; int64 wraps around."""
    mixed = (prefix ^ (prefix >> 29)) * MULTIPLIER
    return mixed + character
