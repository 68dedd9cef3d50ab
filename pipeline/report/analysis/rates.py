"""The rates of experiments with their confidence intervals, and the differences between experiments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics import error_rates as metrics
from pipeline.report.analysis.bootstrap import Estimate, estimate, resampled_sums

RATES = {**metrics.RATES, "cer_folded": ("folded_edits", "characters")}
"""Each rate is one sum over lines divided by another."""
ACCURACIES = {"accuracy": ("hits", "positions"), "accuracy_text": ("text_hits", "text_positions")}
"""Rates that do not follow from readings and texts: their sums are counted when lines are read."""
HITS = tuple(dict.fromkeys(name for rate in ACCURACIES.values() for name in rate))
SEED = 0


@dataclass(frozen=True)
class Rates:
    """One experiment's rates by name, as measured and on each resample of its lines; means over its seeds."""

    measured: Mapping[str, float]
    resampled: Mapping[str, NDArray[np.float64]]

    def __getitem__(self, name: str) -> Estimate:
        return estimate(self.measured[name], self.resampled[name])

    def minus(self, other: "Rates", name: str) -> Estimate:
        """How much higher this rate is than that of another experiment on the same resamples of the same lines."""
        difference = self.measured[name] - other.measured[name]
        return estimate(difference, self.resampled[name] - other.resampled[name])


def line_sums(texts: Sequence[str], readings: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """What each line adds to the sums that `RATES` names, (N,) each."""
    folded = [[text.casefold() for text in both] for both in (readings, texts)]
    return {**metrics.line_sums(readings, texts), "folded_edits": metrics.edit_distances(*folded).astype(np.float64)}


def mean_sums(texts: Sequence[str], readings: Sequence[Sequence[str]]) -> dict[str, NDArray[np.float64]]:
    """The mean of `line_sums` over the readings of several seeds."""
    sums = [line_sums(texts, one) for one in readings]
    return {name: np.mean([one[name] for one in sums], axis=0) for name in sums[0]}


def measured_rates(texts: Sequence[str], readings: Sequence[str]) -> dict[str, float]:
    """The rates of `RATES` of one seed's readings, as fractions."""
    return _measured(line_sums(texts, readings), RATES)


def resample_rates(
    texts: Sequence[str],
    readings: Mapping[str, Sequence[Sequence[str]]],
    hits: Mapping[str, Mapping[str, NDArray[np.float64]]] | None = None,
) -> dict[str, Rates]:
    """The rates of several experiments that read the same lines, by experiment; `readings` has one list a seed.

    `hits` has the sums of `ACCURACIES` by line, means over seeds; an experiment without them has no such rates.
    Each line counts with its mean over the experiment's seeds, and it is lines that are drawn: intervals and paired
    differences are of this choice of seeds, and narrow as more of them even out what one training makes of a line.
    The draws depend on the number of lines alone: an experiment's intervals are the same whatever it stands beside.
    """
    hits = hits or {}
    sums = {key: {**mean_sums(texts, read), **hits.get(key, {})} for key, read in readings.items()}
    columns = [(key, name) for key in sums for name in sums[key]]
    values = np.stack([sums[key][name] for key, name in columns], axis=1)
    resampled = dict(zip(columns, resampled_sums(values, np.random.default_rng(SEED)).T, strict=True))
    rates = {}
    for key, measured in sums.items():
        found = {**RATES, **(ACCURACIES if hits.get(key) else {})}
        rates[key] = Rates(
            _measured(measured, found),
            {name: _ratio(resampled[key, a], resampled[key, b]) for name, (a, b) in found.items()},
        )
    return rates


def _measured(sums: Mapping[str, NDArray[np.float64]], rates: Mapping[str, tuple[str, str]]) -> dict[str, float]:
    return {name: float(_ratio(sums[part].sum(), sums[whole].sum())) for name, (part, whole) in rates.items()}


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """As the metrics do where there is nothing to count."""
    return np.asarray(part / np.maximum(whole, 1))
