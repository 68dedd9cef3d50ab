"""A character n-gram language model: how likely each character is after what is already read.

Interpolated: the estimate of a long context leans on that of the context shorter by one, down to single characters and
then to all characters of the vocabulary alike. What is set aside for the shorter context differs:
    witten_bell   as much as there are different followers (Witten and Bell 1991)
    discounting   a part of each count, another for counts of 1, 2 and more, estimated from the
                  counts of counts (Ney, Essen, Kneser 1994; Chen and Goodman 1998)
    kneser_ney    the same, and a shorter context that a longer one leans on does not count how often a
                  character follows it, but after how many different characters both stand (Kneser and Ney 1995)
Lines are short, so that a good part of their characters has all of its line as context: that one's counts are always
plain, however short it is.

Lines begin at the beginning of a word and end at the end of one. Both are the word boundary, a space, for the model:
before the first character and after the last one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.decoding.language_model.ngrams import (
    BASE,
    BOUNDARY,
    SYMBOLS,
    Followers,
    context_of,
    continuations,
    lengths_of,
    symbols_of,
)
from pipeline.settings.decoding import Smoothing

if TYPE_CHECKING:
    from torch import Tensor

Index = TypeVar("Index", NDArray[np.int64], "Tensor")

START = context_of(BOUNDARY)
"""The context of a line's first character."""
UNKNOWN = context_of("")
"""The context after which each character is as likely as it is common."""
END = int(symbols_of(BOUNDARY)[0])
"""The symbol that ends a line."""


@dataclass(frozen=True)
class Level:
    """Estimates for contexts of one length: a share of each follower, and what is left for the shorter context."""

    followers: Followers
    shares: NDArray[np.float64]
    """(M,) of the probability, as `followers.symbols`."""
    rests: NDArray[np.float64]
    """(N,) of the probability, as `followers.contexts`."""


class LanguageModel:
    """Probabilities of the next character; `order` is the characters that take part in one, the next one included."""

    def __init__(self, followers: Sequence[Followers], smoothing: Smoothing) -> None:
        self.smoothing = smoothing
        estimate = witten_bell if smoothing == "witten_bell" else discounting
        self.levels = [Level(level, *estimate(level)) for level in followers]
        """For contexts of each length that are all there is."""
        self.leant_on = self.levels
        """For contexts of each length but the longest that are the end of a longer one."""
        if smoothing == "kneser_ney":
            self.leant_on = [Level(level, *estimate(level)) for level in map(continuations, followers[1:])]

    @property
    def order(self) -> int:
        """Characters that take part in one estimate."""
        return len(self.levels)

    def advance(self, contexts: Index, symbols: Index) -> Index:
        """The contexts (N,), an array or a tensor, after one more symbol each."""
        moved: Index = (contexts * BASE + symbols + 1) % BASE ** (self.order - 1)
        return moved

    def log_probabilities(self, contexts: NDArray[np.int64]) -> NDArray[np.float64]:
        """(N, SYMBOLS) for (N,) contexts; each row sums up to 1 as probabilities."""
        rows = np.full((len(contexts), SYMBOLS), 1 / SYMBOLS)
        lengths = np.minimum(lengths_of(contexts), self.order - 1)
        for length in range(self.order):
            for levels, chosen in ((self.leant_on, lengths > length), (self.levels, lengths == length)):
                if len(places := np.flatnonzero(chosen)):
                    _interpolate(rows, places, contexts[places] % BASE**length, levels[length])
        return np.asarray(np.log(rows))

    def score(self, text: str) -> float:
        """The log-probability of a whole line, its end included."""
        total, context = 0.0, np.array([START])
        for symbol in (*symbols_of(text), END):
            total += float(self.log_probabilities(context)[0, symbol])
            context = self.advance(context, symbol)
        return total


def _interpolate(
    rows: NDArray[np.float64], chosen: NDArray[np.int64], contexts: NDArray[np.int64], level: Level
) -> None:
    """Lay one level's estimates over those of the level below, in place: in `chosen` rows whose context is known."""
    known = level.followers.contexts
    places = np.minimum(np.searchsorted(known, contexts), len(known) - 1)
    here = known[places] == contexts
    found, places = chosen[here], places[here]
    rows[found] *= level.rests[places, None]
    begins, counts = level.followers.offsets[places], np.diff(level.followers.offsets)[places]
    entries = np.repeat(begins - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    rows[np.repeat(found, counts), level.followers.symbols[entries]] += level.shares[entries]


def witten_bell(level: Followers) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares and rests: a context's unseen followers get as much as each of its different followers once."""
    different = np.diff(level.offsets)
    totals = np.add.reduceat(level.counts.astype(np.float64), level.offsets[:-1]) + different
    return level.counts / np.repeat(totals, different), different / totals


def discounting(level: Followers) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares and rests: counts of 1, 2 and more are each lowered by an estimate of how much too high they are."""
    different = np.diff(level.offsets)
    totals = np.add.reduceat(level.counts.astype(np.float64), level.offsets[:-1])
    lowered = discounts(level.counts)[np.minimum(level.counts, 3)]
    rests = np.add.reduceat(lowered, level.offsets[:-1]) / totals
    return (level.counts - lowered) / np.repeat(totals, different), rests


def discounts(counts: NDArray[np.uint32]) -> NDArray[np.float64]:
    """What is taken from counts of 0, 1, 2 and more: Chen and Goodman's estimates, kept between 0 and the count."""
    n = np.maximum(np.bincount(np.minimum(counts, 5), minlength=6)[:5], 1).astype(np.float64)
    common = n[1] / (n[1] + 2 * n[2])
    estimated = [0, *(count - (count + 1) * common * n[count + 1] / n[count] for count in (1, 2, 3))]
    return np.asarray(np.clip(estimated, [0, 0.1, 0.1, 0.1], [0, 0.9, 1.9, 2.9]))
