"""Error rates of experiments with confidence intervals, and differences between experiments."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics import error_rates as metrics
from pipeline.metrics.folding import FOLDED_RATES, fold_case, folded_sums
from pipeline.report.analysis.alignment import count_edits_at
from pipeline.report.analysis.bootstrap import TINY, Cells, Deviations, Estimate, Floats, estimate

RATES = {**metrics.RATES, "cer_folded": FOLDED_RATES["cer_folded"]}
"""Each rate is one sum over lines, divided by another."""
TRANSCRIBED_RATES = {**RATES, **FOLDED_RATES}
"""The same for transcribed lines."""
ACCURACIES = {"accuracy": ("hits", "positions"), "accuracy_text": ("text_hits", "text_positions")}
"""These do not follow from the predicted texts; evaluation counts their sums per line."""
OF_CHARACTERS: dict[str, Callable[[str], str]] = {"cer": str, "cer_lab": str, "cer_folded": fold_case}
"""Rates whose errors stand at single characters, and how texts are compared."""
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
        return estimate(self.measured[name], self.resampled[name], self.deviations[name].scale)

    def minus(self, other: "Rates", name: str) -> Estimate:
        """The difference to a rate of another experiment, with the same resamples of the same lines."""
        return estimate(
            self.measured[name] - other.measured[name],
            self.resampled[name] - other.resampled[name],
            (self.deviations[name] - other.deviations[name]).scale,
        )


def line_sums(
    texts: Sequence[str], predictions: Sequence[str], rates: Collection[str] = RATES
) -> dict[str, NDArray[np.float64]]:
    """What each of N lines adds to the sums of `rates`, (N,) each."""
    names = [name for name in FOLDED_RATES if name in rates]
    return {**metrics.line_sums(predictions, texts), **folded_sums(predictions, texts, names)}


def mean_sums(
    texts: Sequence[str], by_seed: Sequence[Sequence[str]], rates: Collection[str]
) -> dict[str, NDArray[np.float64]]:
    """The mean of `line_sums` over the predictions of several seeds."""
    sums = [line_sums(texts, predictions, rates) for predictions in by_seed]
    return {name: np.mean([seed_sums[name] for seed_sums in sums], axis=0) for name in sums[0]}


def measured_rates(texts: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
    """All rates of `RATES` for one seed, as fractions."""
    return _divide_sums(line_sums(texts, predictions), RATES)


def resample_rates(
    texts: Sequence[str],
    predictions: Mapping[str, Sequence[Sequence[str]]],
    hits: Mapping[str, LineSums] | None = None,
    image_numbers: NDArray[np.int32] | None = None,
    groups: Sequence[str] = (),
) -> dict[str, Rates]:
    """The rates of several experiments on the same lines, by experiment.

    `predictions` has one list per seed for each experiment. `hits` has the sums of `ACCURACIES` per line, as means over
    seeds; an experiment without them has no accuracies. Lines are resampled together with the images of their
    characters, whose numbers `image_numbers` (N, T) are those of `Lines`; without them, alone. Lines with `groups` (N,)
    are drawn as whole groups, and have all of `TRANSCRIBED_RATES`. Each line counts with its mean over seeds. So
    intervals and differences do not cover the choice of seeds; more seeds make them narrower.
    The draws depend only on the lines: the intervals of an experiment do not depend on the other experiments.
    """
    cells, hits = Cells(texts, image_numbers, groups), hits or {}
    of_texts = TRANSCRIBED_RATES if len(groups) else RATES
    sums = {key: {**mean_sums(texts, by_seed, of_texts), **hits.get(key, {})} for key, by_seed in predictions.items()}
    names = {key: {**of_texts, **(ACCURACIES if hits.get(key) else {})} for key in predictions}
    at_cells = {
        (key, name): cells.sum(lay_errors(texts, by_seed, sums[key][RATES[name][0]], cells.in_text, fold))
        for key, by_seed in predictions.items()
        for name, fold in OF_CHARACTERS.items()
    }
    of_lines = {(key, part): sums[key][part] for key in names for parts in names[key].values() for part in parts}
    sampled = cells.resample(
        np.stack(list(at_cells.values())), np.stack(list(of_lines.values())), np.random.default_rng(SEED)
    )
    samples_at = dict(zip(at_cells, sampled[0], strict=True))
    samples = dict(zip(of_lines, sampled[1], strict=True))
    return {
        key: Rates(
            _divide_sums(sums[key], rates),
            {
                name: _ratio(samples_at.get((key, name), samples[key, part]), samples[key, whole])
                for name, (part, whole) in rates.items()
            },
            {
                name: cells.deviations(sums[key][part], sums[key][whole], at_cells.get((key, name)))
                for name, (part, whole) in rates.items()
            },
        )
        for key, rates in names.items()
    }


def lay_errors(
    texts: Sequence[str],
    by_seed: Sequence[Sequence[str]],
    amounts: Floats,
    in_text: NDArray[np.bool_],
    fold: Callable[[str], str],
) -> Floats:
    """Divide what each line adds to a rate (N,) among its characters (N, T), in proportion to the edits there.

    `in_text` (N, T) says which positions are characters. `fold` makes texts comparable and keeps their lengths.
    """
    length, folded = in_text.shape[1], list(map(fold, texts))
    edits = np.mean([count_edits_at(folded, list(map(fold, one)), length) for one in by_seed], axis=0)
    return np.asarray(edits * (amounts / np.maximum(edits.sum(axis=1), TINY))[:, None])


def _divide_sums(sums: LineSums, rates: Mapping[str, tuple[str, str]]) -> dict[str, float]:
    return {name: float(_ratio(sums[part].sum(), sums[whole].sum())) for name, (part, whole) in rates.items()}


def _ratio(part: Floats, whole: Floats) -> Floats:
    """0 if there is nothing to count, as in `pipeline.metrics`."""
    return np.asarray(np.where(whole > 0, part / np.where(whole > 0, whole, 1), 0.0))
