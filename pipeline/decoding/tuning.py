"""Choosing the weights of language model and prior and the length bonus on validation lines."""

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
    """One choice, and its CER on the lines it was tried on."""

    search: Search
    cer: float


def try_all(
    posteriors: Posteriors,
    texts: Sequence[str],
    search: Search,
    weights: Sequence[float],
    bonuses: Sequence[float],
    priors: Sequence[float],
    rows: RowCache,
) -> list[Trial]:
    """Read the lines with every choice of a weight, a bonus and a prior; other settings are those of `search`."""
    choices = list(product(weights, bonuses, priors))
    trials = []
    for weight, bonus, prior in tqdm(choices, desc="tuning", unit="choice", disable=None):
        tried = replace(search, weight=weight, bonus=bonus, prior=prior)
        trials.append(Trial(tried, reading_rates(readings(posteriors, tried, rows), texts)["cer"]))
    return trials


def best_of(trials: Sequence[Trial]) -> Trial:
    """The lowest CER; of several, the first."""
    return min(trials, key=lambda trial: trial.cer)
