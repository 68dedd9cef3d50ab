"""Write a character n-gram model in ARPA format, which KenLM reads."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.decoding.language_model.model import LanguageModel, Level

MAX_ORDER = 6
"""KenLM reads no longer n-grams as it is built by default."""
NEVER = -99.0


def shorten(model: LanguageModel, order: int) -> LanguageModel:
    """The same counts, up to n-grams of `order`."""
    return LanguageModel([level.ngrams for level in model.levels[:order]], model.smoothing, model.symbols)


def word(symbol: int) -> str:
    """The name of a symbol: characters such as the space would end a word."""
    return f"s{symbol}"


def write_arpa(path: Path, model: LanguageModel) -> None:
    """Write the interpolated probabilities with backoff weights. A line begins and ends at a word boundary.

    Contexts that begin a line use the estimates of lower orders, as all shorter contexts do.
    """
    levels = [*model.lower_orders[: model.order - 1], model.levels[-1]]
    sections = [[f"{NEVER}\t<unk>"], *([] for _ in levels[1:])]
    known, below = np.zeros(0, np.int64), np.full(0, 0.0)
    for length, level in enumerate(levels):
        known, below = _estimates(model, level, length, known, below)
        weights = _backoff_weights(levels, length + 1, known)
        for code, probability, weight in zip(known.tolist(), np.log10(below).tolist(), weights.tolist(), strict=True):
            sections[length] += _entries(model, code, length + 1, probability, weight)
    counts = "".join(f"ngram {order}={len(lines)}\n" for order, lines in enumerate(sections, start=1))
    with path.open("w", encoding="ascii") as file:
        file.write(f"\\data\\\n{counts}")
        for order, lines in enumerate(sections, start=1):
            file.write(f"\n\\{order}-grams:\n")
            file.writelines(f"{line}\n" for line in lines)
        file.write("\n\\end\\\n")


def _estimates(
    model: LanguageModel, level: Level, length: int, known: NDArray[np.int64], below: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The n-grams of a level as numbers, ascending, and their probabilities; `known` and `below` are those below."""
    base, repeats = model.symbols.base, np.diff(level.ngrams.offsets)
    codes = np.repeat(level.ngrams.contexts, repeats) * base + level.ngrams.symbols.astype(np.int64) + 1
    weights = np.repeat(level.backoff_weights, repeats)
    if length:
        positions = np.searchsorted(known, codes % base**length)
        assert np.array_equal(known[positions], codes % base**length)
        return codes, level.probabilities + weights * below[positions]
    every = np.arange(1, model.symbols.count + 1)
    probabilities = np.full(len(every), level.backoff_weights[0] / model.symbols.count)
    probabilities[codes - 1] += level.probabilities
    return every, probabilities


def _backoff_weights(levels: list[Level], length: int, contexts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The common logarithms of the weights of `contexts`; 0 where none was seen."""
    weights = np.ones(len(contexts))
    if length < len(levels):
        ngrams = levels[length].ngrams
        positions = np.minimum(np.searchsorted(ngrams.contexts, contexts), len(ngrams.contexts) - 1)
        seen = ngrams.contexts[positions] == contexts
        weights[seen] = levels[length].backoff_weights[positions[seen]]
    return np.asarray(np.log10(weights))


def _entries(model: LanguageModel, code: int, order: int, probability: float, weight: float) -> Iterator[str]:
    """The lines of an n-gram; one that begins or ends with a space also begins or ends a line."""
    symbols = []
    while code:
        code, digit = divmod(code, model.symbols.base)
        symbols.append(digit - 1)
    words = [word(symbol) for symbol in reversed(symbols)]
    boundary = word(model.symbols.boundary)
    for first in [words[0], *(["<s>"] if words[0] == boundary else [])]:
        for last in [words[-1], *(["</s>"] if words[-1] == boundary else [])]:
            if order == 1 and first == "<s>":
                if last != "</s>":
                    yield f"{NEVER}\t<s>\t{weight:.6f}"
                continue
            named = [first, *words[1:]]
            named[-1] = last
            yield f"{probability:.6f}\t{' '.join(named)}" + (f"\t{weight:.6f}" if last != "</s>" else "")
