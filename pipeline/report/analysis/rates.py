"""Error rates of experiments with confidence intervals, and differences between experiments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics import error_rates as metrics
from pipeline.report.analysis.bootstrap import Estimate, estimate, resample_sums

RATES = {**metrics.RATES, "cer_folded": ("folded_edits", "characters")}
"""Each rate is one sum over lines, divided by another."""
ACCURACIES = {"accuracy": ("hits", "positions"), "accuracy_text": ("text_hits", "text_positions")}
"""These do not follow from the predicted texts; evaluation counts their sums per line."""
HIT_COLUMNS = tuple(dict.fromkeys(name for rate in ACCURACIES.values() for name in rate))
SEED = 0


@dataclass(frozen=True)
class Rates:
    """One experiment's rates by name, as measured and for each resample of its lines; means over its seeds."""

    measured: Mapping[str, float]
    resampled: Mapping[str, NDArray[np.float64]]

    def __getitem__(self, name: str) -> Estimate:
        return estimate(self.measured[name], self.resampled[name])

    def minus(self, other: "Rates", name: str) -> Estimate:
        """The difference to a rate of another experiment, with the same resamples of the same lines."""
        difference = self.measured[name] - other.measured[name]
        return estimate(difference, self.resampled[name] - other.resampled[name])


def line_sums(texts: Sequence[str], predictions: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """What each of N lines adds to the sums in `RATES`, (N,) each."""
    folded = [[text.casefold() for text in both] for both in (predictions, texts)]
    return {**metrics.line_sums(predictions, texts), "folded_edits": metrics.edit_distances(*folded).astype(np.float64)}


def mean_sums(texts: Sequence[str], by_seed: Sequence[Sequence[str]]) -> dict[str, NDArray[np.float64]]:
    """The mean of `line_sums` over the predictions of several seeds."""
    sums = [line_sums(texts, predictions) for predictions in by_seed]
    return {name: np.mean([seed_sums[name] for seed_sums in sums], axis=0) for name in sums[0]}


def measured_rates(texts: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
    """All rates of `RATES` for one seed, as fractions."""
    return _divide_sums(line_sums(texts, predictions), RATES)


def resample_rates(
    texts: Sequence[str],
    predictions: Mapping[str, Sequence[Sequence[str]]],
    hits: Mapping[str, Mapping[str, NDArray[np.float64]]] | None = None,
) -> dict[str, Rates]:
    """The rates of several experiments on the same lines, by experiment.

    `predictions` has one list per seed for each experiment. `hits` has the sums of `ACCURACIES` per line, as means over
    seeds; an experiment without them has no accuracies. Lines are resampled, and each counts with its mean over seeds.
    So intervals and differences do not cover the choice of seeds; more seeds make them narrower. The draws depend only
    on the number of lines: the intervals of an experiment do not depend on the other experiments.
    """
    hits = hits or {}
    sums = {key: {**mean_sums(texts, by_seed), **hits.get(key, {})} for key, by_seed in predictions.items()}
    columns = [(key, name) for key in sums for name in sums[key]]
    values = np.stack([sums[key][name] for key, name in columns], axis=1)
    resampled = dict(zip(columns, resample_sums(values, np.random.default_rng(SEED)).T, strict=True))
    rates = {}
    for key, key_sums in sums.items():
        parts = {**RATES, **(ACCURACIES if hits.get(key) else {})}
        rates[key] = Rates(
            _divide_sums(key_sums, parts),
            {name: _ratio(resampled[key, a], resampled[key, b]) for name, (a, b) in parts.items()},
        )
    return rates


def _divide_sums(sums: Mapping[str, NDArray[np.float64]], rates: Mapping[str, tuple[str, str]]) -> dict[str, float]:
    return {name: float(_ratio(sums[part].sum(), sums[whole].sum())) for name, (part, whole) in rates.items()}


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 if there is nothing to count, as in `pipeline.metrics`."""
    return np.asarray(part / np.maximum(whole, 1))
