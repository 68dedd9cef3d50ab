"""Character n-gram counts of a text: how often each character follows each context."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.common import vocabulary
from pipeline.common.vocabulary import CHARACTERS, SPECIAL_TOKENS

NUM_SYMBOLS = len(CHARACTERS)
"""Symbol k is character k of the vocabulary, class k + 4."""
BASE = NUM_SYMBOLS + 1
"""A context is a number in this base. Symbol k is digit k + 1, 0 is none, the last digit is the latest character."""
MAX_ORDER = 10
"""Contexts of nine characters are the longest that fit into 63 bits."""
BOUNDARY = " "
"""The character before the first word of a line and after its last."""


@dataclass(frozen=True)
class NgramCounts:
    """The n-grams of one order, sorted by context and then by symbol."""

    contexts: NDArray[np.int64]
    """(N,) distinct contexts, ascending."""
    offsets: NDArray[np.int64]
    """(N + 1,) where the n-grams of each context begin."""
    symbols: NDArray[np.uint8]
    """(M,) last symbol of each n-gram."""
    counts: NDArray[np.uint32]
    """(M,) how often the n-gram occurs."""


def count_ngrams(text: str, order: int) -> list[NgramCounts]:
    """The counts of orders 1 to `order`. The text is taken to begin and end at a word boundary.

    Raises:
        ValueError: a character is not in the vocabulary.
    """
    symbols = encode_symbols(BOUNDARY + text + BOUNDARY)
    return [_count(_contexts_before(symbols, length)[length:], symbols[length:]) for length in range(order)]


def continuation_counts(higher: NgramCounts) -> NgramCounts:
    """For n-grams of the next lower order: the number of different characters that precede each."""
    (length,) = context_lengths(higher.contexts[:1])
    contexts = np.repeat(higher.contexts % BASE ** (length - 1), np.diff(higher.offsets))
    return _count(contexts, higher.symbols.astype(np.int64))


def context_lengths(contexts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number of characters in each context."""
    return np.searchsorted(BASE ** np.arange(MAX_ORDER - 1), contexts, side="right").astype(np.int64)


def encode_symbols(text: str) -> NDArray[np.int64]:
    """The symbols of a text, one per character."""
    return vocabulary.encode(text).astype(np.int64) - len(SPECIAL_TOKENS)


def encode_context(text: str) -> int:
    """The context of the last `MAX_ORDER` - 1 characters of `text`."""
    context = 0
    for symbol in encode_symbols(text[-(MAX_ORDER - 1) :]).tolist():
        context = context * BASE + symbol + 1
    return context


def _contexts_before(symbols: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """The context of up to `length` symbols before each position."""
    contexts = np.zeros(len(symbols), dtype=np.int64)
    for back in range(1, length + 1):
        contexts[back:] += (symbols[:-back] + 1) * BASE ** (back - 1)
    return contexts


def _count(contexts: NDArray[np.int64], symbols: NDArray[np.int64]) -> NgramCounts:
    order = np.lexsort((symbols, contexts))
    contexts, symbols = contexts[order], symbols[order]
    new_context = np.flatnonzero(np.diff(contexts, prepend=-1))
    first = np.flatnonzero((np.diff(contexts, prepend=-1) != 0) | (np.diff(symbols, prepend=-1) != 0))
    counts = np.diff(first, append=len(contexts))
    offsets = np.append(np.searchsorted(first, new_context), len(first))
    return NgramCounts(contexts[new_context], offsets, symbols[first].astype(np.uint8), counts.astype(np.uint32))
