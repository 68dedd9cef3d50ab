"""The language model that other projects get."""

import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.others import arpa
from pipeline.common.vocabulary import EMNIST
from pipeline.decoding.language_model.model import LanguageModel
from pipeline.decoding.language_model.ngrams import Symbols, count_ngrams

TEXT = "the cat sat on the mat then the hat sat on the cat"


def read_arpa(path: Path) -> dict[tuple[str, ...], tuple[float, float]]:
    """N-grams with their common logarithms of probability and backoff weight."""
    entries = {}
    for line in path.read_text().splitlines():
        if "\t" in line:
            probability, words, *weight = line.split("\t")
            entries[tuple(words.split())] = float(probability), float(weight[0]) if weight else 0.0
    return entries


def score(entries: dict[tuple[str, ...], tuple[float, float]], context: tuple[str, ...], word: str) -> float:
    """The common logarithm of a word's probability, as the ARPA format defines it."""
    if (*context, word) in entries:
        return entries[*context, word][0]
    return entries.get(context, (0.0, 0.0))[1] + score(entries, context[1:], word)


@pytest.mark.parametrize("smoothing", ["kneser_ney", "witten_bell"])
def test_others_get_the_same_probabilities(tmp_path: Path, smoothing: str) -> None:
    symbols = Symbols(EMNIST)
    longer = LanguageModel(count_ngrams(TEXT, 5, symbols), smoothing, symbols)  # type: ignore[arg-type]
    model = arpa.shorten(longer, 3)
    arpa.write_arpa(tmp_path / "lm.arpa", model)
    entries = read_arpa(tmp_path / "lm.arpa")
    for context in ("th", "at", "a ", "zz", "tz"):
        expected = model.log_probabilities(np.array([symbols.context(context)]))[0]
        words = tuple(arpa.word(symbol) for symbol in symbols.encode(context).tolist())
        found = [score(entries, words, arpa.word(symbol)) * math.log(10) for symbol in range(symbols.count)]
        np.testing.assert_allclose(found, expected, atol=1e-4)
        assert sum(math.exp(value) for value in found) == pytest.approx(1, abs=1e-3)


def test_a_line_begins_and_ends_at_a_word_boundary(tmp_path: Path) -> None:
    symbols = Symbols(EMNIST)
    model = LanguageModel(count_ngrams(TEXT, 3, symbols), "witten_bell", symbols)
    arpa.write_arpa(tmp_path / "lm.arpa", model)
    entries = read_arpa(tmp_path / "lm.arpa")
    t, h, space = (arpa.word(int(symbols.encode(character)[0])) for character in "th ")
    assert entries["<s>", t, h] == entries[space, t, h]
    assert entries[h, arpa.word(int(symbols.encode("e")[0])), "</s>"][0] == pytest.approx(
        entries[h, arpa.word(int(symbols.encode("e")[0])), space][0]
    )
    assert entries[("<s>",)][0] == arpa.NEVER
