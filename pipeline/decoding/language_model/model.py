"""A character n-gram language model: the probability of the next character given the ones before.

Interpolated: the estimate for a context is combined with the estimate for the context without its first character, down
to single characters and then to a uniform distribution. The smoothing methods differ in the probability that they
reserve for the lower order:
    witten_bell   the number of different followers, counted once each (Witten and Bell 1991)
    discounting   absolute discounting with separate discounts for counts of 1, 2 and more, estimated from the
                  counts of counts (Ney, Essen, Kneser 1994; Chen and Goodman 1998)
    kneser_ney    the same, but lower orders use continuation counts: not how often an n-gram occurs, but after how
                  many different characters (Kneser and Ney 1995)
Lines are short, so many contexts reach back to the beginning of the line. For them the plain counts are used, however
short they are.

Lines begin at the beginning of a word and end at the end of one. The model sees a word boundary, a space, before the
first character and after the last one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.decoding.language_model.ngrams import (
    BOUNDARY,
    NgramCounts,
    Symbols,
    continuation_counts,
)
from pipeline.settings.decoding import Smoothing

if TYPE_CHECKING:
    from torch import Tensor

Index = TypeVar("Index", NDArray[np.int64], "Tensor")

EMPTY_CONTEXT = 0
"""The context of unigram estimates."""


@dataclass(frozen=True)
class Level:
    """Estimates of one order: probabilities of the n-grams seen, and the weight of the lower order."""

    ngrams: NgramCounts
    probabilities: NDArray[np.float64]
    """(M,) discounted, for each of `ngrams.symbols`."""
    backoff_weights: NDArray[np.float64]
    """(N,) for each of `ngrams.contexts`."""


class LanguageModel:
    """Probabilities of the next character."""

    def __init__(self, counts: Sequence[NgramCounts], smoothing: Smoothing, symbols: Symbols) -> None:
        self.symbols = symbols
        self.smoothing = smoothing
        estimate = witten_bell if smoothing == "witten_bell" else absolute_discounting
        self.levels = [Level(ngrams, *estimate(ngrams)) for ngrams in counts]
        """Estimates for contexts by their length, when the context is complete."""
        self.lower_orders = self.levels
        """Kneser-Ney continuation estimates used when backing off."""
        if smoothing == "kneser_ney":
            self.lower_orders = [
                Level(ngrams, *estimate(ngrams)) for ngrams in (continuation_counts(c, symbols) for c in counts[1:])
            ]

    @property
    def order(self) -> int:
        """The n of the longest n-grams."""
        return len(self.levels)

    @property
    def start_context(self) -> int:
        """The context of a line's first character."""
        return self.symbols.context(BOUNDARY)

    def advance(self, contexts: Index, symbols: Index) -> Index:
        """The contexts (N,), an array or a tensor, after one more symbol each."""
        base = self.symbols.base
        kept = contexts % base ** max(self.order - 2, 0)  # before the product, which has no room for one more digit
        advanced: Index = (kept * base + symbols + 1) % base ** (self.order - 1)
        return advanced

    def log_probabilities(self, contexts: NDArray[np.int64]) -> NDArray[np.float64]:
        """(N, symbols) for contexts (N,); as probabilities each row sums to 1."""
        table = np.full((len(contexts), self.symbols.count), 1 / self.symbols.count)
        lengths = np.minimum(self.symbols.context_lengths(contexts), self.order - 1)
        for length in range(self.order):
            for levels, chosen in ((self.lower_orders, lengths > length), (self.levels, lengths == length)):
                if len(rows := np.flatnonzero(chosen)):
                    _interpolate(table, rows, contexts[rows] % self.symbols.base**length, levels[length])
        return np.asarray(np.log(table))

    def score(self, text: str) -> float:
        """The log-probability of a whole line, including its end."""
        total, context = 0.0, np.array([self.start_context])
        for symbol in (*self.symbols.encode(text), self.symbols.boundary):
            total += float(self.log_probabilities(context)[0, symbol])
            context = self.advance(context, symbol)
        return total


def _interpolate(
    table: NDArray[np.float64], rows: NDArray[np.int64], contexts: NDArray[np.int64], level: Level
) -> None:
    """Combine the lower-order estimates in these `rows` of the table with those of `level`, in place.

    A row whose context was never seen keeps the lower-order estimate.
    """
    known = level.ngrams.contexts
    positions = np.minimum(np.searchsorted(known, contexts), len(known) - 1)
    seen = known[positions] == contexts
    rows, positions = rows[seen], positions[seen]
    table[rows] *= level.backoff_weights[positions, None]
    begins, counts = level.ngrams.offsets[positions], np.diff(level.ngrams.offsets)[positions]
    entries = np.repeat(begins - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    table[np.repeat(rows, counts), level.ngrams.symbols[entries]] += level.probabilities[entries]


def witten_bell(ngrams: NgramCounts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probabilities and backoff weights: the lower order counts as often as a context has different followers."""
    followers = np.diff(ngrams.offsets)
    totals = np.add.reduceat(ngrams.counts.astype(np.float64), ngrams.offsets[:-1]) + followers
    return ngrams.counts / np.repeat(totals, followers), followers / totals


def absolute_discounting(ngrams: NgramCounts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probabilities and backoff weights: the lower order gets what is discounted from the counts."""
    followers = np.diff(ngrams.offsets)
    totals = np.add.reduceat(ngrams.counts.astype(np.float64), ngrams.offsets[:-1])
    discounted = discounts(ngrams.counts)[np.minimum(ngrams.counts, 3)]
    backoff_weights = np.add.reduceat(discounted, ngrams.offsets[:-1]) / totals
    return (ngrams.counts - discounted) / np.repeat(totals, followers), backoff_weights


def discounts(counts: NDArray[np.uint32]) -> NDArray[np.float64]:
    """(4,) discounts for counts of 0, 1, 2 and more: Chen and Goodman's estimates, clipped between 0 and the count."""
    n = np.maximum(np.bincount(np.minimum(counts, 5), minlength=6)[:5], 1).astype(np.float64)
    ratio = n[1] / (n[1] + 2 * n[2])
    estimates = [0, *(count - (count + 1) * ratio * n[count + 1] / n[count] for count in (1, 2, 3))]
    return np.asarray(np.clip(estimates, [0, 0.1, 0.1, 0.1], [0, 0.9, 1.9, 2.9]))
