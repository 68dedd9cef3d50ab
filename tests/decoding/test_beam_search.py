import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.common.vocabulary import EMNIST
from pipeline.decoding.beam_search import beam_search
from pipeline.decoding.hypotheses import Hypotheses, SearchSettings
from pipeline.decoding.language_model.cache import LanguageModelCache
from pipeline.decoding.language_model.model import LanguageModel
from pipeline.decoding.language_model.ngrams import Symbols, count_ngrams
from tests.decoding.enumeration import WittenBell, all_texts, greedy_text, noise_steps

SYMBOLS = Symbols(EMNIST)

ALPHABET = "ab "
EXHAUSTIVE = 400
"""More than there are texts of five steps over three characters."""
MODEL_TEXT = "abba a bab baa ab abab b"
MODEL = LanguageModel(count_ngrams(MODEL_TEXT, 4, SYMBOLS), "witten_bell", SYMBOLS)


def search_one(
    steps: NDArray[np.float64], settings: SearchSettings, lm: LanguageModelCache | None = None
) -> Hypotheses:
    return beam_search(torch.from_numpy(steps[None]), [steps.shape[1]], settings, lm)


def found_texts(found: Hypotheses, line: int = 0) -> dict[str, float]:
    """CTC's log-probability by text; no text may be found twice."""
    alive = [k for k, p in enumerate(found.ctc[line].tolist()) if p > -1e6]
    texts = {found.text(line, k, EMNIST): float(found.ctc[line, k]) for k in alive}
    assert len(texts) == len(alive)
    return texts


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_a_wide_beam_finds_every_text_with_its_probability(seed: int, steps: int) -> None:
    values = noise_steps(seed, steps, ALPHABET)
    expected = all_texts(values, ALPHABET)
    assert sum(np.exp(list(expected.values()))) == pytest.approx(1)
    assert found_texts(search_one(values, SearchSettings(EXHAUSTIVE, 3))) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("weight", "bonus", "prior"), [(0.7, 0.0, 0.0), (1.5, 1.0, 0.4), (0.0, -2.0, 0.0), (0.0, 0.0, 1.5)]
)
def test_a_wide_beam_ranks_by_the_whole_score(seed: int, weight: float, bonus: float, prior: float) -> None:
    values = noise_steps(seed, 5, ALPHABET)
    alone = WittenBell(MODEL_TEXT, 1)
    scores = {
        text: ctc
        + weight * MODEL.score(text)
        + bonus * len(text)
        - prior * sum(np.log(alone.probability(character, "")) for character in text)
        for text, ctc in all_texts(values, ALPHABET).items()
    }
    search = SearchSettings(EXHAUSTIVE, 3, weight, bonus, prior)
    found = search_one(values, search, LanguageModelCache(MODEL))
    ranked = [found.text(0, k, EMNIST) for k in range(len(scores))]
    assert ranked == sorted(scores, key=lambda text: -scores[text])
    assert found.scores(weight)[0, : len(scores)].tolist() == pytest.approx(sorted(scores.values(), reverse=True))
    assert found.lm[0, :5].tolist() == pytest.approx([MODEL.score(text) for text in ranked[:5]])


@pytest.mark.parametrize("seed", range(8))
def test_a_language_model_with_weight_0_changes_nothing(seed: int) -> None:
    values = noise_steps(seed, 6, ALPHABET)
    without, weightless = (search_one(values, SearchSettings(6, 3), lm) for lm in (None, LanguageModelCache(MODEL)))
    assert found_texts(without) == found_texts(weightless)


@pytest.mark.parametrize("width", [1, 2, 7])
@pytest.mark.parametrize("seed", range(5))
def test_certain_steps_give_the_greedy_prediction(seed: int, width: int) -> None:
    values = noise_steps(seed, 12, "abcdefgh ", sharpness=200)
    found = search_one(values, SearchSettings(width, 4))
    assert found.text(0, 0, EMNIST) == greedy_text(values)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), steps=st.integers(1, 6), sharpness=st.floats(0, 6))
def test_the_best_text_is_never_less_likely_than_the_greedy_one(seed: int, steps: int, sharpness: float) -> None:
    values = noise_steps(seed, steps, "ab", sharpness)
    exact = all_texts(values, "ab")
    found = search_one(values, SearchSettings(EXHAUSTIVE, 2))
    assert exact[found.text(0, 0, EMNIST)] >= exact[greedy_text(values)] - 1e-9


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), width=st.integers(1, 9), candidates=st.integers(1, 3))
def test_a_narrow_beam_never_overestimates_a_probability(seed: int, width: int, candidates: int) -> None:
    values = noise_steps(seed, 5, ALPHABET)
    exact = all_texts(values, ALPHABET)
    for text, probability in found_texts(search_one(values, SearchSettings(width, candidates))).items():
        assert probability <= exact[text] + 1e-9


@settings(max_examples=30, deadline=None)
@given(seeds=st.lists(st.integers(0, 1000), min_size=1, max_size=4), data=st.data())
def test_a_line_gives_the_same_result_alone_and_in_a_batch(seeds: list[int], data: st.DataObject) -> None:
    lengths = [data.draw(st.integers(1, 8)) for _ in seeds]
    lines = [noise_steps(seed, length, ALPHABET) for seed, length in zip(seeds, lengths, strict=True)]
    batch = np.zeros((len(lines), EMNIST.num_classes, max(lengths)))
    for row, line in zip(batch, lines, strict=True):
        row[:, : line.shape[1]] = line
    search, lm = SearchSettings(5, 3, 0.5, 0.3), LanguageModelCache(MODEL)
    together = beam_search(torch.from_numpy(batch), lengths, search, lm)
    for number, line in enumerate(lines):
        alone = found_texts(search_one(line, search, LanguageModelCache(MODEL)))
        assert found_texts(together, number) == pytest.approx(alone)


def test_a_double_letter_needs_a_blank() -> None:
    values = np.full((EMNIST.num_classes, 3), -1e9)
    a = noise_steps(0, 1, "a")[:, 0].argsort()[-2:].max()
    values[[a, 0, a], [0, 1, 2]] = 0
    assert search_one(values, SearchSettings(4, 2)).text(0, 0, EMNIST) == "aa"
    values[[a, 0], [1, 1]] = 0, -1e9
    assert search_one(values, SearchSettings(4, 2)).text(0, 0, EMNIST) == "a"


def test_special_tokens_are_never_written() -> None:
    values = np.full((EMNIST.num_classes, 2), -50.0)
    values[[1, 2, 3]] = -0.1
    values[10, 1] = -1
    assert set(search_one(values, SearchSettings(3, 79)).text(0, 0, EMNIST)) <= {"6"}
