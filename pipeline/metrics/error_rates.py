"""Error rates of predicted texts.

"CER" has two meanings in this field. Here each has its own name:
    cer       edits of all lines / characters of all target texts. The usual character error rate, a micro-average:
              long lines weigh more, and it exceeds 1 where predictions are much too long.
    cer_lab   mean over lines of edits / max(length of prediction, length of target). The lecture's lab calls this
              CER. It is a macro-average of normalized edit distances: all lines weigh the same, and 1 is the maximum.
Edits are insertions, deletions and substitutions of one character.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist

from pipeline.common.vocabulary import PADDING

if TYPE_CHECKING:
    from torch import Tensor

RATES = {
    "cer": ("edits", "characters"),
    "cer_lab": ("lab_rates", "lines"),
    "wer": ("word_edits", "words"),
    "exact": ("exact_lines", "lines"),
}
"""The rates of texts. Each is one sum over lines (see `line_sums`) divided by another."""
SUMS = (
    *("lines", "characters", "edits", "lab_rates", "words", "word_edits", "exact_lines"),
    *("positions", "hits", "text_positions", "text_hits"),
)
"""The sums over lines that all rates are computed from."""
BY_SEED = "by_seed"
"""Key in files of metrics: the rates of each seed, where there are several."""
SEED_STATISTICS = ("test_cer_std", "seeds")
"""Keys in files of metrics that only several seeds have: sample standard deviation of their CER, number of seeds."""


def character_error_rate(predictions: Sequence[str], targets: Sequence[str]) -> float:
    """The usual CER, as a fraction: edits of all lines / characters of all targets."""
    return float(edit_distances(predictions, targets).sum()) / max(1, sum(map(len, targets)))


def edit_distances(predictions: Sequence[str], targets: Sequence[str]) -> NDArray[np.int64]:
    """Levenshtein distance of each pair, in characters."""
    if not targets:
        return np.zeros(0, dtype=np.int64)
    return cpdist(predictions, targets, scorer=Levenshtein.distance, dtype=np.int64)


def word_edit_distances(predictions: Sequence[str], targets: Sequence[str]) -> NDArray[np.int64]:
    """Levenshtein distance of each pair, in words separated by spaces."""
    pairs = zip(predictions, targets, strict=True)
    return np.array([Levenshtein.distance(p.split(), t.split()) for p, t in pairs], dtype=np.int64)


def line_sums(predictions: Sequence[str], targets: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """What each of N lines adds to the sums in `RATES`, (N,) each."""
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
    """All rates of `RATES`, as fractions."""
    sums = {name: float(values.sum()) for name, values in line_sums(predictions, targets).items()}
    return {name: _divide(sums, *parts) for name, parts in RATES.items()}


def all_sums(
    predictions: Sequence[str], texts: Sequence[str], predicted_classes: "Tensor", target_classes: "Tensor"
) -> dict[str, float]:
    """The sums of `SUMS`, from predictions and true texts, both also as class indices (B, T)."""
    targets = target_classes.numpy()
    hits, on_text = predicted_classes.numpy() == targets, targets != PADDING
    return {
        **{name: float(values.sum()) for name, values in line_sums(predictions, texts).items()},
        "positions": float(targets.size),
        "hits": float(hits.sum()),
        "text_positions": float(on_text.sum()),
        "text_hits": float((hits & on_text).sum()),
    }


def all_rates(sums: Mapping[str, float]) -> dict[str, float]:
    """All rates as fractions, from the sums of `SUMS`. 0 is best for `cer`, `cer_lab` and `wer`, 1 for the others.

    `accuracy` counts all target positions with padding, as the lecture's lab does. `accuracy_text` leaves padding out.
    """
    return {
        **{name: _divide(sums, *parts) for name, parts in RATES.items()},
        "accuracy": _divide(sums, "hits", "positions"),
        "accuracy_text": _divide(sums, "text_hits", "text_positions"),
    }


def _divide(sums: Mapping[str, float], part: str, whole: str) -> float:
    return sums[part] / max(1.0, sums[whole])
