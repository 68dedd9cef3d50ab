"""Evaluating recognizers on the test lines."""

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
from pipeline.models.recognizer import Recognizer
from pipeline.runtime.hardware import Arithmetic


@dataclass(frozen=True)
class Evaluation:
    """`metrics`: name to number, rates as fractions. `predictions`: one row per line, in the data's order."""

    metrics: dict[str, Any]
    predictions: pd.DataFrame
    lines_per_second: float
    """Of reading alone, pixels in memory to text."""


def evaluate(recognizer: Recognizer, lines: Lines, *, batch_size: int, arithmetic: Arithmetic) -> Evaluation:
    """Read all lines and compare."""
    start = time.perf_counter()
    readings, rows = predict_all(recognizer, lines, batch_size=batch_size, arithmetic=arithmetic)
    seconds = time.perf_counter() - start
    parameters = sum(parameter.numel() for parameter in recognizer.model.parameters())
    metrics = {
        **rates(recognizer, readings, lines.texts, rows),
        "lines": len(lines),
        "parameters": parameters,
    }
    table = predictions_table(readings, lines).assign(**hits(rows, recognizer.objective.encode(lines.texts)))
    return Evaluation(metrics, table, len(lines) / seconds)


def mean_metrics(by_seed: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """The metrics of one experiment from those of its seeds, in which all that is not a rate is the same.

    Rates are means. Several seeds have their number, the sample standard deviation of their CER and the rates of each.
    """
    first, *others = by_seed.values()
    joined = {**first, **mean_rates(by_seed)}
    if others:
        joined[BY_SEED] = {
            seed: {name: value for name, value in one.items() if name.startswith("test_")}
            for seed, one in by_seed.items()
        }
    return joined


def rates(recognizer: Recognizer, readings: Sequence[str], texts: Sequence[str], rows: Tensor) -> dict[str, float]:
    """All error rates and accuracies, names prefixed with `test_`."""
    sums = all_sums(readings, texts, rows, recognizer.objective.encode(texts))
    return {f"test_{name}": rate for name, rate in all_rates(sums).items()}


def predictions_table(readings: Sequence[str], lines: Lines) -> pd.DataFrame:
    """Columns line, text, prediction, edits, width (pixels)."""
    return pd.DataFrame(
        {
            "line": range(len(lines)),
            "text": lines.texts,
            "prediction": readings,
            "edits": edit_distances(readings, lines.texts),
            "width": lines.widths,
        }
    )


def hits(rows: Tensor, targets: Tensor) -> dict[str, NDArray[np.int64]]:
    """How many positions each line has and how many are right, also of its text alone: what accuracies are made of."""
    right, on_text = rows == targets, targets != PADDING
    columns = {
        "positions": torch.ones_like(right),
        "hits": right,
        "text_positions": on_text,
        "text_hits": right & on_text,
    }
    return {name: values.sum(1).numpy() for name, values in columns.items()}
