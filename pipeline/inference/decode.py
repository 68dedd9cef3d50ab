"""Decode test lines by beam search, tuned and calibrated on validation lines."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.common.geometry import Windows
from pipeline.decoding import confidence
from pipeline.decoding.candidates import Candidates, search_lines
from pipeline.decoding.forced_alignment import align_lines, window_centers
from pipeline.decoding.language_model.cache import LanguageModelCache
from pipeline.decoding.language_model.model import LanguageModel
from pipeline.decoding.posteriors import Posteriors
from pipeline.inference.seeds import mean_rates
from pipeline.inference.tuning import best_trial, grid_search
from pipeline.metrics.error_rates import BY_SEED, edit_distances, text_error_rates
from pipeline.metrics.groups import transcribed_rates
from pipeline.settings.decoding import DecodingSettings

UNCALIBRATED = 1.0
SHARED = ("experiment", "lines")
"""Metrics that are the same for all seeds."""
AGREEMENTS = {"lines": confidence.line_agreement, "characters": confidence.character_agreement}
"""What has a confidence."""


@dataclass(frozen=True)
class LabeledPosteriors:
    """The log-probabilities of some lines, and their true texts."""

    posteriors: Posteriors
    texts: list[str]
    groups: list[str] = field(default_factory=list)
    """As in `Lines`."""


@dataclass(frozen=True)
class Decoded:
    """The result for one model: rates as fractions in `metrics`, and a table with a row for each line, in order."""

    metrics: dict[str, Any]
    predictions: pd.DataFrame
    lines_per_second: float
    """Of the search alone, without the model."""


def decode(
    validation: LabeledPosteriors,
    test: LabeledPosteriors,
    greedy: Sequence[str],
    settings: DecodingSettings,
    model: LanguageModel,
    windows: Windows,
) -> Decoded:
    """Choose the weights and fit the temperatures on validation lines, then decode the test lines.

    `greedy` are the predictions for the test lines without beam search, for comparison.
    """
    lm = LanguageModelCache(model)
    trials = grid_search(validation.posteriors, validation.texts, settings, lm)
    best = best_trial(trials)
    calibration_set = search_lines(validation.posteriors.interpolate(best.intermediate_weight), best.search, lm)
    temperatures = fit_temperatures(calibration_set, validation.texts)
    posteriors = test.posteriors.interpolate(best.intermediate_weight)
    start = time.perf_counter()
    candidates = search_lines(posteriors, best.search, lm)
    seconds = time.perf_counter() - start
    metrics = {
        "experiment": settings.experiment,
        **best.weights,
        **{f"test_{name}": rate for name, rate in compute_rates(candidates.best, test).items()},
        **{f"test_{name}_greedy": rate for name, rate in compute_rates(greedy, test).items()},
        "validation_cer": best.cer,
        "lines": len(test.texts),
        "calibration": {kind: measure_calibration(candidates, test.texts, kind, t) for kind, t in temperatures.items()},
        "trials": [{**trial.weights, "cer": trial.cer} for trial in trials],
    }
    table = predictions_table(LabeledPosteriors(posteriors, test.texts), greedy, candidates, temperatures, windows)
    return Decoded(metrics, table, len(test.texts) / seconds)


def compute_rates(predictions: Sequence[str], lines: LabeledPosteriors) -> dict[str, float]:
    """The error rates of predicted texts; more of them for transcribed lines."""
    rates = text_error_rates(predictions, lines.texts)
    return rates | (transcribed_rates(predictions, lines.texts, lines.groups) if lines.groups else {})


def join_metrics(by_seed: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """The mean rates over seeds, and under `by_seed` everything that was chosen and measured for each."""
    first = next(iter(by_seed.values()))
    own = {seed: {name: metrics[name] for name in metrics if name not in SHARED} for seed, metrics in by_seed.items()}
    return {**{name: first[name] for name in SHARED}, **mean_rates(by_seed), BY_SEED: own}


def fit_temperatures(candidates: Candidates, texts: Sequence[str]) -> dict[str, float]:
    """One temperature for lines and one for characters."""
    return {
        kind: confidence.fit_temperature(agreement(candidates), find_correct(candidates, texts, kind))
        for kind, agreement in AGREEMENTS.items()
    }


def find_correct(candidates: Candidates, texts: Sequence[str], kind: str) -> NDArray[np.bool_]:
    """(M,) which predictions are correct: each of the lines, or each character of all lines."""
    pairs = list(zip(candidates.best, texts, strict=True))
    if kind == "lines":
        return np.array([prediction == text for prediction, text in pairs])
    characters = [confidence.unedited(prediction, text) for prediction, text in pairs]
    return np.concatenate([np.zeros(0, dtype=bool), *characters])


def measure_calibration(candidates: Candidates, texts: Sequence[str], kind: str, temperature: float) -> dict[str, Any]:
    """The expected calibration error and the reliability bins, before and after calibration."""
    agreement, correct = AGREEMENTS[kind](candidates), find_correct(candidates, texts, kind)
    before = confidence.reliability_bins(agreement.confidence(UNCALIBRATED), correct)
    after = confidence.reliability_bins(agreement.confidence(temperature), correct)
    return {
        "temperature": round(temperature, 4),
        "error_before": confidence.calibration_error(before),
        "error": confidence.calibration_error(after),
        "bins_before": [asdict(group) for group in before],
        "bins": [asdict(group) for group in after],
    }


def predictions_table(
    test: LabeledPosteriors,
    greedy: Sequence[str],
    candidates: Candidates,
    temperatures: Mapping[str, float],
    windows: Windows,
) -> pd.DataFrame:
    """Columns line, text, greedy, prediction, edits, confidence (of the line), confidences, columns (pixels).

    The last two have one number for each character of the prediction, separated by spaces.
    """
    characters = confidence.character_agreement(candidates).confidence(temperatures["characters"])
    confidences = split_by_line(characters, candidates.best)
    columns = [window_centers(steps, windows) for steps in align_lines(test.posteriors, candidates.best)]
    return pd.DataFrame(
        {
            "line": range(len(test.texts)),
            "text": test.texts,
            "greedy": greedy,
            "prediction": candidates.best,
            "edits": edit_distances(candidates.best, test.texts),
            "confidence": confidence.line_agreement(candidates).confidence(temperatures["lines"]).round(4),
            "confidences": [" ".join(f"{value:.3f}" for value in values) for values in confidences],
            "columns": [" ".join(map(str, values)) for values in columns],
        }
    )


def split_by_line(values: NDArray[np.float64], predictions: Sequence[str]) -> list[NDArray[np.float64]]:
    """Split the values of all characters into those of each line."""
    ends = np.cumsum([len(prediction) for prediction in predictions])
    return np.split(values, ends[:-1])
