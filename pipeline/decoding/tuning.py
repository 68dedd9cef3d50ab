"""Choosing the language model's weight and the length bonus on validation lines."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from tqdm import tqdm

from pipeline.decoding.candidates import readings
from pipeline.decoding.hypotheses import Search
from pipeline.decoding.posteriors import Posteriors
from pipeline.decoding.row_cache import RowCache
from pipeline.metrics import reading_rates


@dataclass(frozen=True)
class Trial:
    """One pair, and its CER on the lines it was tried on."""

    search: Search
    cer: float


def try_all(
    posteriors: Posteriors,
    texts: Sequence[str],
    search: Search,
    weights: Sequence[float],
    bonuses: Sequence[float],
    rows: RowCache,
) -> list[Trial]:
    """Read the lines with every pair of a weight and a bonus; other settings are those of `search`."""
    pairs = list(product(weights, bonuses))
    trials = []
    for weight, bonus in tqdm(pairs, desc="tuning", unit="pair", disable=None):
        tried = replace(search, weight=weight, bonus=bonus)
        trials.append(Trial(tried, reading_rates(readings(posteriors, tried, rows), texts)["cer"]))
    return trials


def best_of(trials: Sequence[Trial]) -> Trial:
    """The lowest CER; of several, the first."""
    return min(trials, key=lambda trial: trial.cer)
