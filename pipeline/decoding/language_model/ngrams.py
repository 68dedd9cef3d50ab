"""Character n-grams of a text: how often each character follows each context."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.common import vocabulary
from pipeline.common.vocabulary import CHARACTERS, SPECIAL_TOKENS

SYMBOLS = len(CHARACTERS)
"""Symbol k is character k of the vocabulary, class k + 4."""
BASE = SYMBOLS + 1
"""Contexts are numbers in this base, the latest character last, with digit k + 1 for symbol k: 0 stands for none."""
LARGEST_ORDER = 10
"""Contexts of nine characters are the longest that fit 63 bits."""
BOUNDARY = " "
"""What stands before the first word of a line and after its last."""


@dataclass(frozen=True)
class Followers:
    """The counts behind all contexts of one length, sorted by context and within it by symbol."""

    contexts: NDArray[np.int64]
    """(N,) every context that something follows, ascending."""
    offsets: NDArray[np.int64]
    """(N + 1,) where the followers of each context begin."""
    symbols: NDArray[np.uint8]
    """(M,) what follows."""
    counts: NDArray[np.uint32]
    """(M,) how often."""


def count_followers(text: str, order: int) -> list[Followers]:
    """For each context length from 0 to `order` - 1; the text is taken to begin and to end at a word's boundary.

    Raises:
        ValueError: a character is not in the vocabulary.
    """
    symbols = symbols_of(BOUNDARY + text + BOUNDARY)
    return [_count(_before(symbols, length)[length:], symbols[length:]) for length in range(order)]


def continuations(longer: Followers) -> Followers:
    """For contexts shorter by one: after how many different characters a context and its follower stand together."""
    (length,) = lengths_of(longer.contexts[:1])
    contexts = np.repeat(longer.contexts % BASE ** (length - 1), np.diff(longer.offsets))
    return _count(contexts, longer.symbols.astype(np.int64))


def lengths_of(contexts: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many characters each context has."""
    return np.searchsorted(BASE ** np.arange(LARGEST_ORDER - 1), contexts, side="right").astype(np.int64)


def symbols_of(text: str) -> NDArray[np.int64]:
    """The symbols of a text, one for each character."""
    return vocabulary.encode(text).astype(np.int64) - len(SPECIAL_TOKENS)


def context_of(text: str) -> int:
    """A context that ends with the last `LARGEST_ORDER` - 1 characters of `text`."""
    context = 0
    for symbol in symbols_of(text[-(LARGEST_ORDER - 1) :]).tolist():
        context = context * BASE + symbol + 1
    return context


def _before(symbols: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """The context of at most that length before each position."""
    contexts = np.zeros(len(symbols), dtype=np.int64)
    for back in range(1, length + 1):
        contexts[back:] += (symbols[:-back] + 1) * BASE ** (back - 1)
    return contexts


def _count(contexts: NDArray[np.int64], symbols: NDArray[np.int64]) -> Followers:
    order = np.lexsort((symbols, contexts))
    contexts, symbols = contexts[order], symbols[order]
    new_context = np.flatnonzero(np.diff(contexts, prepend=-1))
    first = np.flatnonzero((np.diff(contexts, prepend=-1) != 0) | (np.diff(symbols, prepend=-1) != 0))
    counts = np.diff(first, append=len(contexts))
    offsets = np.append(np.searchsorted(first, new_context), len(first))
    return Followers(contexts[new_context], offsets, symbols[first].astype(np.uint8), counts.astype(np.uint32))
