import numpy as np
import pytest

from pipeline.common.vocabulary import CHARACTERS
from pipeline.decoding.language_model.ngrams import BASE, MAX_ORDER, context_lengths, count_ngrams, encode_context
from tests.decoding.enumeration import WittenBell


@pytest.mark.parametrize("text", ["a", "ab ab", "abracadabra and a bra", "zz zzz Zz 09"])
@pytest.mark.parametrize("order", [1, 2, 3, 5, MAX_ORDER])
def test_counts_match_the_definition(text: str, order: int) -> None:
    expected = {
        (encode_context(context) if context else 0, CHARACTERS.index(character)): count
        for context, found in WittenBell(text, order).followers.items()
        for character, count in found.items()
    }
    counted = {}
    for level in count_ngrams(text, order):
        assert (np.diff(level.contexts) > 0).all()
        for number, context in enumerate(level.contexts.tolist()):
            entries = slice(level.offsets[number], level.offsets[number + 1])
            pairs = zip(level.symbols[entries].tolist(), level.counts[entries].tolist(), strict=True)
            counted |= {(context, symbol): count for symbol, count in pairs}
    assert counted == expected


def test_contexts_of_the_highest_order_fit_into_63_bits() -> None:
    assert BASE ** (MAX_ORDER - 1) < 2**63
    assert encode_context("?" * 30) == BASE ** (MAX_ORDER - 1) - BASE ** (MAX_ORDER - 1) // BASE**9 == BASE**9 - 1


def test_a_context_ends_with_the_latest_character() -> None:
    assert encode_context("01") == 1 * BASE + 2


@pytest.mark.parametrize("text", ["", "a", "the cat", "a longer text than nine"])
def test_context_lengths(text: str) -> None:
    assert context_lengths(np.array([encode_context(text)])).tolist() == [min(len(text), MAX_ORDER - 1)]
