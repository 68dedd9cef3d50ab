"""How well lines were read: character error rates and their kin.

"CER" has several meanings in this field, so each has a name of its own here:
    cer       all edits / all target characters (the usual one)
    cer_lab   mean over lines of edits / max(length of prediction, length of target) (the lecture's lab)
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist
from torch import Tensor

from pipeline.common.vocabulary import PADDING

RATES = {
    "cer": ("edits", "characters"),
    "cer_lab": ("lab_rates", "lines"),
    "wer": ("word_edits", "words"),
    "exact": ("exact_lines", "lines"),
}
"""What follows from readings and texts: each rate is one sum over lines (see `line_sums`) divided by another."""
SUMS = (
    *("lines", "characters", "edits", "lab_rates", "words", "word_edits", "exact_lines"),
    *("positions", "hits", "text_positions", "text_hits"),
)
"""Sums over lines from which all rates follow."""
BY_SEED = "by_seed"
"""Where several seeds were measured: the rates of each."""
OF_SEVERAL = ("test_cer_std", "seeds")
"""What is measured of several seeds alone: the sample standard deviation of their CER, and their number."""


def edit_distances(predictions: Sequence[str], targets: Sequence[str]) -> NDArray[np.int64]:
    """Levenshtein distance of each pair: insertions, deletions and substitutions of one character."""
    if not targets:
        return np.zeros(0, dtype=np.int64)
    return cpdist(predictions, targets, scorer=Levenshtein.distance, dtype=np.int64)


def word_edit_distances(predictions: Sequence[str], targets: Sequence[str]) -> NDArray[np.int64]:
    """Levenshtein distance of each pair counted in words, which spaces part."""
    pairs = zip(predictions, targets, strict=True)
    return np.array([Levenshtein.distance(p.split(), t.split()) for p, t in pairs], dtype=np.int64)


def line_sums(predictions: Sequence[str], targets: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """What each line adds to the sums that `RATES` names, (N,) each."""
    edits = edit_distances(predictions, targets)
    characters = np.array([len(target) for target in targets])
    longest = np.maximum(characters, [len(prediction) for prediction in predictions])
    sums = {
        "lines": np.ones(len(targets)),
        "characters": characters,
        "edits": edits,
        "lab_rates": edits / np.maximum(longest, 1),
        "words": np.array([len(target.split()) for target in targets]),
        "word_edits": word_edit_distances(predictions, targets),
        "exact_lines": edits == 0,
    }
    return {name: values.astype(np.float64) for name, values in sums.items()}


def text_error_rates(predictions: Sequence[str], targets: Sequence[str]) -> dict[str, float]:
    """The rates of `RATES` as fractions."""
    sums = {name: float(values.sum()) for name, values in line_sums(predictions, targets).items()}
    return {name: _rate(sums, *parts) for name, parts in RATES.items()}


def all_sums(predictions: Sequence[str], texts: Sequence[str], rows: Tensor, targets: Tensor) -> dict[str, float]:
    """The sums over lines that `SUMS` names: of readings and texts, and of both as (B, T) class indices."""
    wanted = targets.numpy()
    hits, on_text = rows.numpy() == wanted, wanted != PADDING
    return {
        **{name: float(values.sum()) for name, values in line_sums(predictions, texts).items()},
        "positions": float(wanted.size),
        "hits": float(hits.sum()),
        "text_positions": float(on_text.sum()),
        "text_hits": float((hits & on_text).sum()),
    }


def all_rates(sums: Mapping[str, float]) -> dict[str, float]:
    """All rates as fractions from the sums of `SUMS`: 0 is best for `cer`, `cer_lab` and `wer`, 1 for the others.

    `accuracy` counts every target position, padding too, as the lab does; `accuracy_text` only the text's.
    """
    return {
        **{name: _rate(sums, *parts) for name, parts in RATES.items()},
        "accuracy": _rate(sums, "hits", "positions"),
        "accuracy_text": _rate(sums, "text_hits", "text_positions"),
    }


def _rate(sums: Mapping[str, float], part: str, whole: str) -> float:
    return sums[part] / max(1.0, sums[whole])
