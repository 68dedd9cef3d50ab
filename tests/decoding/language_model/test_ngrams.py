import numpy as np
import pytest

from pipeline.common.vocabulary import EMNIST, Vocabulary
from pipeline.decoding.language_model.ngrams import Symbols, count_ngrams
from tests.decoding.enumeration import WittenBell

SYMBOLS = Symbols(EMNIST)


@pytest.mark.parametrize("text", ["a", "ab ab", "abracadabra and a bra", "zz zzz Zz 09"])
@pytest.mark.parametrize("order", [1, 2, 3, 5, SYMBOLS.max_order])
def test_counts_match_the_definition(text: str, order: int) -> None:
    expected = {
        (SYMBOLS.context(context) if context else 0, EMNIST.characters.index(character)): count
        for context, found in WittenBell(text, order).followers.items()
        for character, count in found.items()
    }
    counted = {}
    for level in count_ngrams(text, order, SYMBOLS):
        assert (np.diff(level.contexts) > 0).all()
        for number, context in enumerate(level.contexts.tolist()):
            entries = slice(level.offsets[number], level.offsets[number + 1])
            pairs = zip(level.symbols[entries].tolist(), level.counts[entries].tolist(), strict=True)
            counted |= {(context, symbol): count for symbol, count in pairs}
    assert counted == expected


def test_contexts_of_the_highest_order_fit_into_63_bits() -> None:
    assert SYMBOLS.max_order == 10
    assert SYMBOLS.context("?" * 30) == SYMBOLS.base**9 - 1 < 2**63


@pytest.mark.parametrize("characters", [2, 79, 129, 18_710])
def test_the_highest_order_is_the_highest_that_fits(characters: int) -> None:
    symbols = Symbols(Vocabulary("".join(map(chr, range(32, 32 + characters)))))
    assert symbols.base ** (symbols.max_order - 1) < 2**63 <= symbols.base**symbols.max_order


def test_a_context_ends_with_the_latest_character() -> None:
    assert SYMBOLS.context("01") == 1 * SYMBOLS.base + 2


@pytest.mark.parametrize("text", ["", "a", "the cat", "a longer text than nine"])
def test_context_lengths(text: str) -> None:
    assert SYMBOLS.context_lengths(np.array([SYMBOLS.context(text)])).tolist() == [
        min(len(text), SYMBOLS.max_order - 1)
    ]
