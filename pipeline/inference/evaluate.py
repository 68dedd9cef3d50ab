"""Evaluate recognizers on test lines."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.common.vocabulary import PADDING
from pipeline.data.storage.lines import Lines
from pipeline.inference.batches import predict_all
from pipeline.inference.seeds import mean_rates
from pipeline.metrics.error_rates import BY_SEED, all_rates, all_sums, edit_distances
from pipeline.metrics.groups import transcribed_rates
from pipeline.models.recognizer import Recognizer
from pipeline.runtime.hardware import ComputeConfig


@dataclass(frozen=True)
class Evaluation:
    """The result for one model: rates as fractions in `metrics`, and a table with a row for each line, in order."""

    metrics: dict[str, Any]
    predictions: pd.DataFrame
    lines_per_second: float
    """From images in memory to texts."""


def evaluate(recognizer: Recognizer, lines: Lines, *, batch_size: int, compute: ComputeConfig) -> Evaluation:
    """Predict all lines and compare with their texts."""
    start = time.perf_counter()
    predictions, classes = predict_all(recognizer, lines, batch_size=batch_size, compute=compute)
    seconds = time.perf_counter() - start
    metrics = {
        **compute_rates(recognizer, predictions, lines, classes),
        "lines": len(lines),
        "parameters": sum(parameter.numel() for parameter in recognizer.model.parameters()),
    }
    hits = count_hits(classes, recognizer.objective.encode(lines.texts))
    return Evaluation(metrics, predictions_table(predictions, lines).assign(**hits), len(lines) / seconds)


def mean_metrics(by_seed: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """The metrics of one experiment, from those of each seed.

    Rates are means over seeds; the rest is the same for all seeds. With several seeds, the number of seeds, the sample
    standard deviation of the CER and the rates of each seed are added.
    """
    first, *others = by_seed.values()
    joined = {**first, **mean_rates(by_seed)}
    if others:
        joined[BY_SEED] = {
            seed: {name: value for name, value in metrics.items() if name.startswith("test_")}
            for seed, metrics in by_seed.items()
        }
    return joined


def compute_rates(
    recognizer: Recognizer, predictions: Sequence[str], lines: Lines, classes: Tensor
) -> dict[str, float]:
    """All error rates and accuracies, with names that begin with `test_`; `classes` (N, T) are the predicted ones."""
    rates = all_rates(all_sums(predictions, lines.texts, classes, recognizer.objective.encode(lines.texts)))
    if lines.groups:
        rates |= transcribed_rates(predictions, lines.texts, lines.groups)
    return {f"test_{name}": rate for name, rate in rates.items()}


def predictions_table(predictions: Sequence[str], lines: Lines) -> pd.DataFrame:
    """Columns line, text, prediction, edits, width (pixels); of transcribed lines also group and page."""
    return pd.DataFrame(
        {
            "line": range(len(lines)),
            "text": lines.texts,
            "prediction": predictions,
            "edits": edit_distances(predictions, lines.texts),
            "width": lines.widths,
            **{name: values for name, values in (("group", lines.groups), ("page", lines.pages)) if values},
        }
    )


def count_hits(classes: Tensor, targets: Tensor) -> dict[str, NDArray[np.int64]]:
    """Per line, the number of positions and of correct ones, with padding and without: the sums behind accuracies."""
    correct, on_text = classes == targets, targets != PADDING
    columns = {
        "positions": torch.ones_like(correct),
        "hits": correct,
        "text_positions": on_text,
        "text_hits": correct & on_text,
    }
    return {name: values.sum(1).numpy() for name, values in columns.items()}
