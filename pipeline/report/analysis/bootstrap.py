"""Confidence intervals by bootstrap over lines: how far a rate may be from its value on other test lines.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993; percentile intervals. For error rates and paired
differences: Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation", ICASSP 2004.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
LEVEL = 0.95
MAX_DRAWS = 2_000_000
"""Lines drawn at once; limits the memory."""


@dataclass(frozen=True)
class Estimate:
    """A measured value and its confidence interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether zero is outside the interval."""
        return self.low > 0 or self.high < 0


def resample_sums(
    values: NDArray[np.float64], rng: np.random.Generator, resamples: int = RESAMPLES
) -> NDArray[np.float64]:
    """Sums (R, K) of the columns of `values` (N, K) over N lines drawn with replacement, R times.

    All columns use the same draws, so their resamples are paired.
    """
    lines = len(values)
    sums = np.empty((resamples, values.shape[1]))
    chunk = max(1, MAX_DRAWS // lines)
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        drawn = rng.integers(lines, size=(rows, lines)) + lines * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * lines).reshape(rows, lines)
        sums[start : start + rows] = counts @ values
    return sums


def estimate(value: float, samples: NDArray[np.float64]) -> Estimate:
    """`value` with the percentile interval of its resamples (R,)."""
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))
