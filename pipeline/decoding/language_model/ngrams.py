"""Character n-gram counts of a text: how often each character follows each context."""

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.common.vocabulary import FIRST, Vocabulary

BOUNDARY = " "
"""The character before the first word of a line and after its last."""


@dataclass(frozen=True)
class Symbols:
    """The symbols of a language model: symbol k is character k of the vocabulary, which has a space."""

    vocabulary: Vocabulary

    @property
    def count(self) -> int:
        """N, the number of symbols."""
        return len(self.vocabulary.characters)

    @property
    def base(self) -> int:
        """A context is a number in this base: symbol k is digit k + 1, 0 is none, the last digit is the latest."""
        return self.count + 1

    @property
    def max_order(self) -> int:
        """The longest n-grams whose contexts fit into 63 bits: 10 for EMNIST's 79 characters."""
        return next(order for order in itertools.count(1) if self.base**order > np.iinfo(np.int64).max)

    @cached_property
    def boundary(self) -> int:
        """The symbol that begins and ends a line."""
        return int(self.encode(BOUNDARY)[0])

    def encode(self, text: str) -> NDArray[np.int64]:
        """The symbols of a text, one per character.

        Raises:
            ValueError: a character is not in the vocabulary.
        """
        return self.vocabulary.encode(text).astype(np.int64) - FIRST

    def context(self, text: str) -> int:
        """The context of the last `max_order` - 1 characters of `text`."""
        context = 0
        for symbol in self.encode(text[-(self.max_order - 1) :]).tolist():
            context = context * self.base + symbol + 1
        return context

    def context_lengths(self, contexts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number of characters in each context."""
        powers = np.array([self.base**length for length in range(self.max_order - 1)], dtype=np.int64)
        return np.searchsorted(powers, contexts, side="right").astype(np.int64)


@dataclass(frozen=True)
class NgramCounts:
    """The n-grams of one order, sorted by context and then by symbol."""

    contexts: NDArray[np.int64]
    """(N,) distinct contexts, ascending."""
    offsets: NDArray[np.int64]
    """(N + 1,) where the n-grams of each context begin."""
    symbols: NDArray[np.unsignedinteger]
    """(M,) last symbol of each n-gram."""
    counts: NDArray[np.uint32]
    """(M,) how often the n-gram occurs."""


def count_ngrams(text: str, order: int, symbols: Symbols) -> list[NgramCounts]:
    """The counts of orders 1 to `order`. The text is taken to begin and end at a word boundary.

    Raises:
        ValueError: a character is not in the vocabulary.
    """
    written = symbols.encode(BOUNDARY + text + BOUNDARY)
    return [
        _count(_contexts_before(written, length, symbols.base)[length:], written[length:], symbols)
        for length in range(order)
    ]


def continuation_counts(higher: NgramCounts, symbols: Symbols) -> NgramCounts:
    """For n-grams of the next lower order: the number of different characters that precede each."""
    (length,) = symbols.context_lengths(higher.contexts[:1]).tolist()
    contexts = np.repeat(higher.contexts % symbols.base ** (length - 1), np.diff(higher.offsets))
    return _count(contexts, higher.symbols.astype(np.int64), symbols)


def _contexts_before(written: NDArray[np.int64], length: int, base: int) -> NDArray[np.int64]:
    """The context of up to `length` symbols before each position."""
    contexts = np.zeros(len(written), dtype=np.int64)
    for back in range(1, length + 1):
        contexts[back:] += (written[:-back] + 1) * base ** (back - 1)
    return contexts


def _count(contexts: NDArray[np.int64], written: NDArray[np.int64], symbols: Symbols) -> NgramCounts:
    order = np.lexsort((written, contexts))
    contexts, written = contexts[order], written[order]
    new_context = np.flatnonzero(np.diff(contexts, prepend=-1))
    first = np.flatnonzero((np.diff(contexts, prepend=-1) != 0) | (np.diff(written, prepend=-1) != 0))
    counts = np.diff(first, append=len(contexts))
    offsets = np.append(np.searchsorted(first, new_context), len(first))
    return NgramCounts(
        contexts[new_context], offsets, written[first].astype(symbols.vocabulary.dtype), counts.astype(np.uint32)
    )
