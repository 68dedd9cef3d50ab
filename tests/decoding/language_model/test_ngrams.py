import numpy as np
import pytest

from pipeline.common.vocabulary import CHARACTERS
from pipeline.decoding.language_model.ngrams import BASE, LARGEST_ORDER, context_of, count_followers, lengths_of
from tests.decoding.enumeration import WittenBell


@pytest.mark.parametrize("text", ["a", "ab ab", "abracadabra and a bra", "zz zzz Zz 09"])
@pytest.mark.parametrize("order", [1, 2, 3, 5, LARGEST_ORDER])
def test_counts_are_those_of_the_definition(text: str, order: int) -> None:
    expected = {
        (context_of(context) if context else 0, CHARACTERS.index(character)): count
        for context, found in WittenBell(text, order).followers.items()
        for character, count in found.items()
    }
    counted = {}
    for level in count_followers(text, order):
        assert (np.diff(level.contexts) > 0).all()
        for number, context in enumerate(level.contexts.tolist()):
            entries = slice(level.offsets[number], level.offsets[number + 1])
            pairs = zip(level.symbols[entries].tolist(), level.counts[entries].tolist(), strict=True)
            counted |= {(context, symbol): count for symbol, count in pairs}
    assert counted == expected


def test_contexts_of_the_largest_order_fit() -> None:
    assert BASE ** (LARGEST_ORDER - 1) < 2**63
    assert context_of("?" * 30) == BASE ** (LARGEST_ORDER - 1) - BASE ** (LARGEST_ORDER - 1) // BASE**9 == BASE**9 - 1


def test_a_context_ends_with_the_latest_character() -> None:
    assert context_of("01") == 1 * BASE + 2


@pytest.mark.parametrize("text", ["", "a", "the cat", "a longer text than nine"])
def test_lengths_of_contexts(text: str) -> None:
    assert lengths_of(np.array([context_of(text)])).tolist() == [min(len(text), LARGEST_ORDER - 1)]
