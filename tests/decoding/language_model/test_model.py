from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.common.vocabulary import EMNIST, Vocabulary
from pipeline.decoding.language_model.model import EMPTY_CONTEXT, LanguageModel, discounts
from pipeline.decoding.language_model.ngrams import BOUNDARY, Symbols, count_ngrams
from pipeline.settings.decoding import Smoothing
from tests.decoding.enumeration import KneserNey, WittenBell

SYMBOLS = Symbols(EMNIST)

TEXT = "the cat sat on the mat and the rat ate the cat at the hat stand 007 times"
SMOOTHINGS: tuple[Smoothing, ...] = ("witten_bell", "discounting", "kneser_ney")


def build_model(order: int, smoothing: Smoothing = "witten_bell", text: str = TEXT) -> LanguageModel:
    return LanguageModel(count_ngrams(text, order, SYMBOLS), smoothing, SYMBOLS)


@pytest.mark.parametrize("order", [1, 2, 3, 6, 10])
@pytest.mark.parametrize("line", ["the", "a tat", "Zebra?", "007", "t", "the cat sat on the mat"])
def test_witten_bell_matches_the_definition(order: int, line: str) -> None:
    assert build_model(order).score(line) == pytest.approx(WittenBell(TEXT, order).score(line), rel=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 6, 10])
@pytest.mark.parametrize("line", ["the", "a tat", "Zebra?", "007", "t", "the cat sat on the mat"])
def test_kneser_ney_matches_the_definition(order: int, line: str) -> None:
    assert build_model(order, "kneser_ney").score(line) == pytest.approx(KneserNey(TEXT, order).score(line), rel=1e-12)


def test_kneser_ney_by_hand() -> None:
    # " abab cb ": a stands after a space and b, b after a (twice) and c, the space after b (twice), c after a space.
    alone = build_model(2, "kneser_ney", "abab cb").lower_orders[0].ngrams
    found = dict(zip(alone.symbols.tolist(), alone.counts.tolist(), strict=True))
    assert {EMNIST.characters[symbol]: count for symbol, count in found.items()} == {"a": 2, "b": 2, " ": 1, "c": 1}


def test_unigram_estimates_ignore_what_comes_before() -> None:
    # " aab ": a and the space twice of five, b once
    expected = {c: (n + 3 / 79) / (5 + 3) for c, n in {"a": 2, " ": 2, "b": 1, "z": 0}.items()}
    (found,) = np.exp(build_model(3, text="aab").log_probabilities(np.array([EMPTY_CONTEXT])))
    assert {c: found[EMNIST.characters.index(c)] for c in expected} == pytest.approx(expected)


def test_witten_bell_by_hand() -> None:
    # " aab ": five characters, three different ones; a follows a once of two times, and there are 2 different after a.
    alone = 79
    single = (2 + 3 / alone) / (5 + 3)
    (row,) = np.exp(build_model(2, text="aab").log_probabilities(np.array([SYMBOLS.context("a")])))
    assert row[EMNIST.characters.index("a")] == pytest.approx((1 + 2 * single) / (2 + 2))


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("order", [1, 3, 7])
def test_probabilities_sum_up_to_one_after_every_context(smoothing: Smoothing, order: int) -> None:
    texts = (BOUNDARY, "", "t", "th", " the c", "zzz", "Q", "the cat sat")
    contexts = np.array([SYMBOLS.context(text) for text in texts])
    rows = np.exp(build_model(order, smoothing).log_probabilities(contexts))
    assert rows.sum(1) == pytest.approx(np.ones(len(contexts)))
    assert (rows > 0).all()


def test_discounts_are_chen_and_goodmans() -> None:
    counts = np.array([1] * 8 + [2] * 4 + [3] * 2 + [4] * 1 + [9], dtype=np.uint32)
    common = 8 / (8 + 2 * 4)
    assert discounts(counts).tolist() == pytest.approx(
        [0, 1 - 2 * common * 4 / 8, 2 - 3 * common * 2 / 4, 3 - 4 * common * 1 / 2]
    )


@pytest.mark.parametrize("counts", [[1], [1, 1, 1], [2, 2], [5, 6, 7], [1, 2, 2, 2, 3]])
def test_discounts_are_smaller_than_the_counts(counts: list[int]) -> None:
    found = discounts(np.array(counts, dtype=np.uint32))
    assert found[0] == 0
    assert (found[1:] > 0).all()
    assert (found[1:] < [1, 2, 3]).all()


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_lines_begin_and_end_at_word_boundaries(smoothing: Smoothing) -> None:
    model = build_model(5, smoothing)
    assert model.score("the cat") > model.score("he cat")
    assert model.score("the cat") > model.score("the ca")


@pytest.mark.parametrize("order", [1, 2, 4])
def test_a_context_drops_characters_beyond_the_order(order: int) -> None:
    model = build_model(order)
    context = np.array([SYMBOLS.context(BOUNDARY)])
    for character in "the cat":
        context = model.advance(context, np.array([EMNIST.characters.index(character)]))
    assert context.tolist() == [SYMBOLS.context("the cat"[len("the cat") - order + 1 :])]


@pytest.mark.parametrize("characters", [79, 126, 127, 135, 1000])
@pytest.mark.parametrize("fewer", [0, 1])
@pytest.mark.parametrize("kind", [np.array, torch.tensor], ids=["array", "tensor"])
def test_contexts_of_the_longest_order_fit(characters: int, fewer: int, kind: Callable[[list[int]], Any]) -> None:
    """Of every vocabulary: the last characters have the largest numbers."""
    vocabulary = Vocabulary(" " + "".join(chr(0x4E00 + number) for number in range(characters - 1)))
    symbols = Symbols(vocabulary)
    order = symbols.max_order - fewer
    text = vocabulary.characters[: -2 * order : -1]
    model = LanguageModel(count_ngrams(text, order, symbols), "witten_bell", symbols)
    context = kind([model.start_context])
    for number, symbol in enumerate(symbols.encode(text).tolist(), start=1):
        context = model.advance(context, kind([symbol]))
        assert context.tolist() == [symbols.context(f" {text[:number]}"[-order + 1 :])]
    assert np.exp(model.log_probabilities(np.array(context.tolist()))).sum() == pytest.approx(1)
