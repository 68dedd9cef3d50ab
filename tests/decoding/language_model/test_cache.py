import numpy as np
import pytest
import torch

from pipeline.common.vocabulary import EMNIST
from pipeline.decoding.language_model import cache
from pipeline.decoding.language_model.cache import LanguageModelCache
from pipeline.decoding.language_model.model import LanguageModel
from pipeline.decoding.language_model.ngrams import Symbols, count_ngrams

SYMBOLS = Symbols(EMNIST)

MODEL = LanguageModel(
    count_ngrams("one two three four five six seven eight nine ten", 4, SYMBOLS), "discounting", SYMBOLS
)
CONTEXTS = [SYMBOLS.context(text) for text in ("one", "two", "t", " f", "xyz", "one", "", "hre")]


@pytest.mark.parametrize("limit", [3, 6, 1000])
def test_the_cache_returns_the_rows_of_the_model(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LIMIT", limit * SYMBOLS.count)
    lm = LanguageModelCache(MODEL)
    for chosen in ([0, 1], [5, 2, 0], [3], [7, 6, 4], [0, 1, 2]):
        contexts = torch.tensor([[CONTEXTS[n] for n in chosen]])
        table, rows = lm.look_up(contexts)
        assert rows.shape == contexts.shape
        assert np.array_equal(table[rows[0]].numpy(), MODEL.log_probabilities(contexts[0].numpy()))
        assert len(lm.contexts) <= limit


def test_a_context_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    compute = MODEL.log_probabilities
    monkeypatch.setattr(MODEL, "log_probabilities", lambda contexts: asked.extend(contexts) or compute(contexts))
    lm = LanguageModelCache(MODEL)
    for _ in range(3):
        lm.look_up(torch.tensor(CONTEXTS))
    assert sorted(asked) == sorted(set(CONTEXTS))
