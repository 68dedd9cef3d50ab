"""How sure a reading is: a line's share of what its candidates weigh together, and each character's.

Weights are exp(score / temperature). The temperature is fitted on validation lines by log-likelihood (Guo et al., "On
Calibration of Modern Neural Networks", ICML 2017), one for lines and one for characters.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from pipeline.decoding.candidates import Candidates

TEMPERATURES = np.geomspace(0.25, 16, 97)
BINS = 10
LEAST = 1e-6


@dataclass(frozen=True)
class Agreement:
    """Which candidates agree with something that was read: (M, K) bool, and their scores (M, K)."""

    agrees: NDArray[np.bool_]
    scores: NDArray[np.float64]

    def confidence(self, temperature: float) -> NDArray[np.float64]:
        """(M,) share of the weight of the candidates that agree."""
        scaled = (self.scores - self.scores.max(1, keepdims=True, initial=-np.inf)) / temperature
        weights = np.exp(scaled)
        return np.asarray((weights * self.agrees).sum(1) / weights.sum(1))


def of_lines(candidates: Candidates) -> Agreement:
    """Each line's reading as a whole."""
    agrees = np.zeros(candidates.scores.shape, dtype=bool)
    agrees[:, 0] = True
    return Agreement(agrees, candidates.scores)


def of_characters(candidates: Candidates) -> Agreement:
    """Each character of each reading, line after line: a candidate agrees that has it where the edits leave it."""
    rows = [np.zeros((0, candidates.scores.shape[1]), dtype=bool)]
    for texts in candidates.texts:
        agrees = np.zeros((len(texts[0]), candidates.scores.shape[1]), dtype=bool)
        for rank, text in enumerate(texts):
            agrees[:, rank] = kept(texts[0], text)
        rows.append(agrees)
    lengths = [len(texts[0]) for texts in candidates.texts]
    return Agreement(np.concatenate(rows), np.repeat(candidates.scores, lengths, axis=0))


def kept(text: str, other: str) -> NDArray[np.bool_]:
    """Which characters of `text` the shortest edits to `other` leave as they are."""
    left = np.ones(len(text), dtype=bool)
    for tag, place, _ in Levenshtein.editops(text, other):
        if tag != "insert":
            left[place] = False
    return left


def fit_temperature(agreement: Agreement, right: NDArray[np.bool_]) -> float:
    """The temperature under which what was right, and what was not, is likeliest."""
    return float(min(TEMPERATURES, key=lambda temperature: _surprise(agreement.confidence(temperature), right)))


def _surprise(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    sure = np.clip(confidence, LEAST, 1 - LEAST)
    return float(-np.log(np.where(right, sure, 1 - sure)).sum())


@dataclass(frozen=True)
class Bin:
    """Readings of about the same confidence: how many, how sure on average, and what share was right."""

    count: int
    confidence: float
    right: float


def reliability(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> list[Bin]:
    """The readings in `BINS` bins of equal width; empty ones are left out."""
    numbers = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = [(confidence[numbers == n], right[numbers == n]) for n in range(BINS)]
    return [Bin(len(sure), float(sure.mean()), float(hit.mean())) for sure, hit in bins if len(sure)]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: how far confidence is from the share that was right, on average over readings."""
    return sum(one.count * abs(one.confidence - one.right) for one in bins) / max(1, sum(one.count for one in bins))
