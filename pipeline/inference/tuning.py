"""Choosing on validation lines what a beam search weighs: language model, prior, length, intermediate logits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from tqdm import tqdm

from pipeline.decoding.candidates import readings
from pipeline.decoding.hypotheses import Search
from pipeline.decoding.language_model.cache import RowCache
from pipeline.decoding.posteriors import Posteriors
from pipeline.metrics.error_rates import character_error_rate


@dataclass(frozen=True)
class Trial:
    """One choice, and its CER on the lines it was tried on."""

    search: Search
    cer: float
    share: float = 0.0
    """Of the intermediate logits in what was searched."""

    @property
    def weights(self) -> dict[str, float]:
        """What was chosen, by the names that metrics have for it."""
        return {**self.search.weights, "intermediate_share": self.share}


def try_all(
    posteriors: Posteriors,
    texts: Sequence[str],
    search: Search,
    weights: Sequence[float],
    bonuses: Sequence[float],
    priors: Sequence[float],
    shares: Sequence[float],
    rows: RowCache,
) -> list[Trial]:
    """Read the lines with every choice of a weight, a bonus, a prior and a share of the intermediate logits.

    Other settings are those of `search`.
    """
    mixed = {share: posteriors.mixed(share) for share in shares}
    choices = list(product(shares, weights, bonuses, priors))
    trials = []
    for share, weight, bonus, prior in tqdm(choices, desc="tuning", unit="choice", disable=None):
        tried = replace(search, weight=weight, bonus=bonus, prior=prior)
        trials.append(Trial(tried, character_error_rate(readings(mixed[share], tried, rows), texts), share))
    return trials


def best_of(trials: Sequence[Trial]) -> Trial:
    """The lowest CER; of several, the first."""
    return min(trials, key=lambda trial: trial.cer)
