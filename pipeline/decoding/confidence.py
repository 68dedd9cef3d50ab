"""The confidence of predictions: for whole lines and for single characters.

Each candidate text of a line has the weight exp(score / temperature). The confidence of a prediction is the fraction of
the line's weight on candidates that agree with it. One temperature for lines and one for characters are fitted on
validation lines by log-likelihood (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from pipeline.decoding.candidates import Candidates

TEMPERATURES = np.geomspace(0.25, 16, 97)
BINS = 10
EPSILON = 1e-6


@dataclass(frozen=True)
class Agreement:
    """Which of K candidates agree with each of M predictions, (M, K) bool, and the candidates' scores (M, K)."""

    agrees: NDArray[np.bool_]
    scores: NDArray[np.float64]

    def confidence(self, temperature: float) -> NDArray[np.float64]:
        """(M,) fraction of the weight of the candidates that agree."""
        scaled = (self.scores - self.scores.max(1, keepdims=True, initial=-np.inf)) / temperature
        weights = np.exp(scaled)
        return np.asarray((weights * self.agrees).sum(1) / weights.sum(1))


def line_agreement(candidates: Candidates) -> Agreement:
    """For each line as a whole: only its best candidate agrees."""
    agrees = np.zeros(candidates.scores.shape, dtype=bool)
    agrees[:, 0] = True
    return Agreement(agrees, candidates.scores)


def character_agreement(candidates: Candidates) -> Agreement:
    """For each character of the predictions, line after line: candidates agree if the edits to them keep it."""
    rows = [np.zeros((0, candidates.scores.shape[1]), dtype=bool)]
    for texts in candidates.texts:
        agrees = np.zeros((len(texts[0]), candidates.scores.shape[1]), dtype=bool)
        for rank, text in enumerate(texts):
            agrees[:, rank] = unedited(texts[0], text)
        rows.append(agrees)
    lengths = [len(texts[0]) for texts in candidates.texts]
    return Agreement(np.concatenate(rows), np.repeat(candidates.scores, lengths, axis=0))


def unedited(text: str, other: str) -> NDArray[np.bool_]:
    """Which characters of `text` remain in a shortest sequence of edits to `other`."""
    kept = np.ones(len(text), dtype=bool)
    for tag, position, _ in Levenshtein.editops(text, other):
        if tag != "insert":
            kept[position] = False
    return kept


def fit_temperature(agreement: Agreement, correct: NDArray[np.bool_]) -> float:
    """The temperature with the lowest negative log-likelihood of `correct` (M,)."""
    return float(min(TEMPERATURES, key=lambda t: _negative_log_likelihood(agreement.confidence(t), correct)))


def _negative_log_likelihood(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> float:
    probability = np.clip(confidence, EPSILON, 1 - EPSILON)
    return float(-np.log(np.where(correct, probability, 1 - probability)).sum())


@dataclass(frozen=True)
class Bin:
    """Predictions of similar confidence: their number, mean confidence, and the fraction that is right."""

    count: int
    confidence: float
    right: float


def reliability_bins(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> list[Bin]:
    """The predictions in `BINS` bins of equal width, without the empty ones."""
    indices = np.minimum((confidence * BINS).astype(int), BINS - 1)
    members = [indices == index for index in range(BINS)]
    return [Bin(int(m.sum()), float(confidence[m].mean()), float(correct[m].mean())) for m in members if m.any()]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: mean distance between confidence and accuracy, weighted by the size of the bins."""
    return sum(b.count * abs(b.confidence - b.right) for b in bins) / max(1, sum(b.count for b in bins))
