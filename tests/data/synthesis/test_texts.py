from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.common.errors import InputError
from pipeline.data.synthesis.texts import TextSampler
from tests.data.synthesis.inputs import line_settings


def every_text(words: Sequence[str], longest: int) -> dict[int, list[str]]:
    """For each word that can begin a text: all texts that begin there."""
    choices = {}
    for first in range(len(words)):
        runs = [" ".join(words[first:last]) for last in range(first + 1, len(words) + 1)]
        if texts := [run for run in runs if len(run) <= longest]:
            choices[first] = texts
    return choices


@given(
    st.lists(st.text("abc", min_size=1, max_size=9), min_size=1, max_size=12), st.integers(1, 15), st.integers(0, 99)
)
def test_texts_begin_and_end_with_words_and_fit(words: list[str], longest: int, seed: int) -> None:
    choices = every_text(words, longest)
    if choices:
        drawn = TextSampler(words, longest).sample(50, np.random.default_rng(seed))
        assert set(drawn) <= {text for texts in choices.values() for text in texts}
        assert len(drawn) == 50
    else:
        with pytest.raises(InputError, match=f"no word of the corpus has at most {longest} characters; raise max_len"):
            TextSampler(words, longest)


@pytest.mark.parametrize("max_length", [16, 32, 34])
def test_every_admissible_end_is_as_likely(max_length: int) -> None:
    words = [f"{place}{'x' * (place % 5)}" for place in range(12)]  # all different, so a text tells its words
    choices = every_text(words, max_length - 2)
    draws = 12_000
    sampler = TextSampler(words, line_settings(max_length).max_characters)
    counts = Counter(sampler.sample(draws, np.random.default_rng(0)))
    expected = {
        text: draws / len(choices) / len(texts) for texts in choices.values() for text in texts
    }  # a word, then one of its ends
    assert set(counts) == set(expected)
    statistic = sum((counts[text] - share) ** 2 / share for text, share in expected.items())

    simulation = np.random.default_rng(1)
    shares = np.array(list(expected.values()))
    simulated = simulation.multinomial(draws, shares / shares.sum(), size=2000)
    bound = np.max(((simulated - shares) ** 2 / shares).sum(axis=1))
    assert statistic < bound


def test_the_longest_text_fills_a_line_but_for_two_positions() -> None:
    words = ["a" * 14, "b" * 13, "c"]
    assert set(TextSampler(words, 14).sample(200, np.random.default_rng(0))) == {"a" * 14, "b" * 13, "c"}
    assert set(TextSampler(words, 15).sample(200, np.random.default_rng(0))) == {
        "a" * 14,
        "b" * 13,
        "c",
        f"{'b' * 13} c",
    }


def test_words_longer_than_a_line_never_begin_one() -> None:
    words = ["ab", "x" * 15, "cd", "e"]
    drawn = Counter(TextSampler(words, 14).sample(900, np.random.default_rng(0)))
    assert set(drawn) == {"ab", "cd", "cd e", "e"}
    assert 240 < drawn["ab"] < 360  # a third: standard deviation 14
    assert 240 < drawn["e"] < 360


def test_no_words_are_refused() -> None:
    with pytest.raises(InputError, match="no word of the corpus has at most 14 characters"):
        TextSampler([], 14)
