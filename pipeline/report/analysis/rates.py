"""Error rates of experiments with confidence intervals, and differences between experiments."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics import error_rates as metrics
from pipeline.report.analysis.alignment import count_edits_at
from pipeline.report.analysis.bootstrap import TINY, Cells, Deviations, Estimate, Floats, estimate

RATES = {**metrics.RATES, "cer_folded": ("folded_edits", "characters")}
"""Each rate is one sum over lines, divided by another."""
ACCURACIES = {"accuracy": ("hits", "positions"), "accuracy_text": ("text_hits", "text_positions")}
"""These do not follow from the predicted texts; evaluation counts their sums per line."""
SUCCESSES = ("exact", *ACCURACIES)
"""Rates that count what is right: 1 minus a rate of errors."""
HIT_COLUMNS = tuple(dict.fromkeys(name for rate in ACCURACIES.values() for name in rate))
SEED = 0
LineSums = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Rates:
    """One experiment's rates by name, as measured and for each resample; means over its seeds."""

    measured: Mapping[str, float]
    resampled: Mapping[str, Floats]
    deviations: Mapping[str, Deviations]

    def __getitem__(self, name: str) -> Estimate:
        return estimate(self.measured[name], self.resampled[name], self.deviations[name].shrinkage)

    def minus(self, other: "Rates", name: str) -> Estimate:
        """The difference to a rate of another experiment, with the same resamples of the same lines."""
        return estimate(
            self.measured[name] - other.measured[name],
            self.resampled[name] - other.resampled[name],
            (self.deviations[name] - other.deviations[name]).shrinkage,
        )


def line_sums(texts: Sequence[str], predictions: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """What each of N lines adds to the sums in `RATES`, (N,) each."""
    folded = fold_case(predictions), fold_case(texts)
    return {**metrics.line_sums(predictions, texts), "folded_edits": metrics.edit_distances(*folded).astype(np.float64)}


def fold_case(texts: Iterable[str]) -> list[str]:
    """The texts with small letters only, of the same lengths: a letter whose small form is longer stays."""
    return ["".join(c.casefold() if len(c.casefold()) == 1 else c for c in text) for text in texts]


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
    hits: Mapping[str, LineSums] | None = None,
    image_numbers: NDArray[np.int32] | None = None,
) -> dict[str, Rates]:
    """The rates of several experiments on the same lines, by experiment.

    `predictions` has one list per seed for each experiment. `hits` has the sums of `ACCURACIES` per line, as means over
    seeds; an experiment without them has no accuracies. Lines are resampled together with the images of their
    characters, whose numbers `image_numbers` (N, T) are those of `Lines`; without them, alone. Each line counts with
    its mean over seeds. So intervals and differences do not cover the choice of seeds; more seeds make them narrower.
    The draws depend only on the lines: the intervals of an experiment do not depend on the other experiments.
    """
    cells, hits = Cells(texts, image_numbers), hits or {}
    sums = {key: {**mean_sums(texts, by_seed), **hits.get(key, {})} for key, by_seed in predictions.items()}
    parts = {key: {**RATES, **(ACCURACIES if hits.get(key) else {})} for key in predictions}
    errors = {
        (key, name): (cells.sum(at), sums[key][parts[key][name][1]])
        for key, by_seed in predictions.items()
        for name, at in lay_errors(texts, by_seed, sums[key], parts[key], cells.in_text).items()
    }
    parts_at, wholes = (np.stack(rows) for rows in zip(*errors.values(), strict=True))
    sampled = cells.resample(parts_at, wholes, np.random.default_rng(SEED))
    resampled = dict(zip(errors, _ratio(*sampled), strict=True))
    return {
        key: Rates(
            _divide_sums(sums[key], names),
            {name: 1 - resampled[key, name] if name in SUCCESSES else resampled[key, name] for name in names},
            {name: cells.deviations(*errors[key, name]) for name in names},
        )
        for key, names in parts.items()
    }


def lay_errors(
    texts: Sequence[str],
    by_seed: Sequence[Sequence[str]],
    sums: LineSums,
    rates: Mapping[str, tuple[str, str]],
    in_text: NDArray[np.bool_],
) -> dict[str, Floats]:
    """What each rate counts as an error, at the characters (N, T) where it happens; `in_text` (N, T) says which are.

    What a line adds to a rate, such as a wrong word, is divided in proportion to the edits at its characters, and
    evenly where there are none.
    """
    length, errors = in_text.shape[1], {}
    plain = np.mean([count_edits_at(texts, predictions, length) for predictions in by_seed], axis=0)
    folded = np.mean(
        [count_edits_at(fold_case(texts), fold_case(predictions), length) for predictions in by_seed], axis=0
    )
    for name, (part, whole) in rates.items():
        amounts = sums[whole] - sums[part] if name in SUCCESSES else sums[part]
        edits = folded if name == "cer_folded" else plain
        shares = np.where(edits.any(axis=1, keepdims=True), edits, in_text)
        errors[name] = shares * (amounts / np.maximum(shares.sum(axis=1), TINY))[:, None]
    return errors


def _divide_sums(sums: LineSums, rates: Mapping[str, tuple[str, str]]) -> dict[str, float]:
    return {name: float(_ratio(sums[part].sum(), sums[whole].sum())) for name, (part, whole) in rates.items()}


def _ratio(part: Floats, whole: Floats) -> Floats:
    """0 if there is nothing to count, as in `pipeline.metrics`."""
    return np.asarray(np.where(whole > 0, part / np.where(whole > 0, whole, 1), 0.0))
