"""Reading test lines with a beam that was tuned and calibrated on validation lines."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.common.geometry import Windows
from pipeline.decoding import confidence
from pipeline.decoding.candidates import Candidates, search_lines
from pipeline.decoding.confidence import Agreement, calibration_error, fit_temperature, kept, reliability
from pipeline.decoding.forced_alignment import align_lines, columns_of
from pipeline.decoding.hypotheses import Search
from pipeline.decoding.language_model.cache import RowCache
from pipeline.decoding.language_model.model import LanguageModel
from pipeline.decoding.posteriors import Posteriors
from pipeline.inference.seeds import mean_rates
from pipeline.inference.tuning import best_of, try_all
from pipeline.metrics.error_rates import BY_SEED, edit_distances, text_error_rates
from pipeline.settings.decoding import DecodingSettings

UNCALIBRATED = 1.0
SHARED = ("experiment", "lines")
"""Metrics that are the same for all seeds."""


@dataclass(frozen=True)
class Part:
    """Lines of one part: what the model says of them, and what they say."""

    posteriors: Posteriors
    texts: list[str]


@dataclass(frozen=True)
class Decoded:
    """`metrics`: name to number, rates as fractions. `predictions`: one row per test line, in the data's order."""

    metrics: dict[str, Any]
    predictions: pd.DataFrame
    lines_per_second: float
    """Of searching alone, without the model's own time."""


def decode(
    validation: Part,
    test: Part,
    greedy: Sequence[str],
    settings: DecodingSettings,
    model: LanguageModel,
    windows: Windows,
) -> Decoded:
    """Choose weights, bonus and share, fit the temperatures, both on validation lines, and read the test lines.

    `greedy` are the readings of the test lines without the beam.
    """
    rows, search = RowCache(model), Search(settings.width, settings.candidates)
    choices = settings.lm_weights, settings.length_bonuses, settings.prior_weights, settings.intermediate_shares
    trials = try_all(validation.posteriors, validation.texts, search, *choices, rows)
    best = best_of(trials)
    fitted = temperatures(search_lines(validation.posteriors.mixed(best.share), best.search, rows), validation.texts)
    posteriors = test.posteriors.mixed(best.share)
    start = time.perf_counter()
    candidates = search_lines(posteriors, best.search, rows)
    seconds = time.perf_counter() - start
    calibrated = {name: calibration(candidates, test.texts, name, fitted[name]) for name in KINDS}
    metrics = {
        "experiment": settings.experiment,
        **best.weights,
        **{f"test_{name}": rate for name, rate in text_error_rates(candidates.best, test.texts).items()},
        **{f"test_{name}_greedy": rate for name, rate in text_error_rates(greedy, test.texts).items()},
        "validation_cer": best.cer,
        "lines": len(test.texts),
        "calibration": calibrated,
        "trials": [{**trial.weights, "cer": trial.cer} for trial in trials],
    }
    table = predictions_table(Part(posteriors, test.texts), greedy, candidates, fitted, windows)
    return Decoded(metrics, table, len(test.texts) / seconds)


def joined_metrics(by_seed: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Of the models of all seeds: their mean rates, and under `by_seed` all that was chosen and measured of each."""
    first = next(iter(by_seed.values()))
    own = {seed: {name: one[name] for name in one if name not in SHARED} for seed, one in by_seed.items()}
    return {**{name: first[name] for name in SHARED}, **mean_rates(by_seed), BY_SEED: own}


KINDS = {"lines": confidence.of_lines, "characters": confidence.of_characters}


def temperatures(candidates: Candidates, texts: Sequence[str]) -> dict[str, float]:
    """One for lines and one for characters."""
    return {name: fit_temperature(of(candidates), right(candidates, texts, name)) for name, of in KINDS.items()}


def right(candidates: Candidates, texts: Sequence[str], kind: str) -> NDArray[np.bool_]:
    """Which readings, or which characters of them, are as the lines say."""
    pairs = list(zip(candidates.best, texts, strict=True))
    if kind == "lines":
        return np.array([reading == text for reading, text in pairs])
    return np.concatenate([np.zeros(0, dtype=bool), *(kept(reading, text) for reading, text in pairs)])


def calibration(candidates: Candidates, texts: Sequence[str], kind: str, temperature: float) -> dict[str, Any]:
    """Expected calibration error and reliability before and after."""
    agreement, hits = KINDS[kind](candidates), right(candidates, texts, kind)
    before = reliability(agreement.confidence(UNCALIBRATED), hits)
    after = reliability(agreement.confidence(temperature), hits)
    return {
        "temperature": round(temperature, 4),
        "error_before": calibration_error(before),
        "error": calibration_error(after),
        "bins_before": [asdict(one) for one in before],
        "bins": [asdict(one) for one in after],
    }


def predictions_table(
    test: Part, greedy: Sequence[str], candidates: Candidates, fitted: dict[str, float], windows: Windows
) -> pd.DataFrame:
    """Columns line, text, greedy, prediction, edits, confidence (of the line), and with one number for each character
    of the prediction, parted by spaces: confidences, columns (pixels).
    """
    sure = of_each(confidence.of_characters(candidates), fitted["characters"], candidates.best)
    columns = [columns_of(steps, windows) for steps in align_lines(test.posteriors, candidates.best)]
    return pd.DataFrame(
        {
            "line": range(len(test.texts)),
            "text": test.texts,
            "greedy": greedy,
            "prediction": candidates.best,
            "edits": edit_distances(candidates.best, test.texts),
            "confidence": confidence.of_lines(candidates).confidence(fitted["lines"]).round(4),
            "confidences": [" ".join(f"{value:.3f}" for value in values) for values in sure],
            "columns": [" ".join(map(str, values)) for values in columns],
        }
    )


def of_each(characters: Agreement, temperature: float, readings: Sequence[str]) -> list[NDArray[np.float64]]:
    """The confidences of all characters, by line."""
    ends = np.cumsum([len(reading) for reading in readings])
    return np.split(characters.confidence(temperature), ends[:-1])
