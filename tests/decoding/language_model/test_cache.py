import numpy as np
import pytest
import torch

from pipeline.decoding.language_model import cache as row_cache
from pipeline.decoding.language_model.cache import RowCache
from pipeline.decoding.language_model.model import LanguageModel
from pipeline.decoding.language_model.ngrams import context_of, count_followers

MODEL = LanguageModel(count_followers("one two three four five six seven eight nine ten", 4), "discounting")
CONTEXTS = [context_of(text) for text in ("one", "two", "t", " f", "xyz", "one", "", "hre")]


@pytest.mark.parametrize("limit", [3, 6, 1000])
def test_rows_are_the_models(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_cache, "LIMIT", limit)
    rows = RowCache(MODEL)
    for chosen in ([0, 1], [5, 2, 0], [3], [7, 6, 4], [0, 1, 2]):
        contexts = torch.tensor([[CONTEXTS[n] for n in chosen]])
        table, places = rows(contexts)
        assert places.shape == contexts.shape
        assert np.array_equal(table[places[0]].numpy(), MODEL.log_probabilities(contexts[0].numpy()))
        assert len(rows.contexts) <= limit


def test_a_context_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    compute = MODEL.log_probabilities
    monkeypatch.setattr(MODEL, "log_probabilities", lambda contexts: asked.extend(contexts) or compute(contexts))
    rows = RowCache(MODEL)
    for _ in range(3):
        rows(torch.tensor(CONTEXTS))
    assert sorted(asked) == sorted(set(CONTEXTS))
