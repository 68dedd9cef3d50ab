"""Evaluating a reader on the test lines."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from torch import Tensor

from pipeline.data.lines import Lines
from pipeline.inference import read_all
from pipeline.metrics import ReadingMetrics, edit_distances
from pipeline.reader import Reader


@dataclass(frozen=True)
class Evaluation:
    """`metrics`: name to number, rates as fractions. `predictions`: one row per line, in the data's order."""

    metrics: dict[str, Any]
    predictions: pd.DataFrame


def evaluate(reader: Reader, lines: Lines, *, batch_size: int, device: str, bf16: bool) -> Evaluation:
    """Read all lines and compare; lines per second count reading alone, pixels in memory to text."""
    start = time.perf_counter()
    readings, rows = read_all(reader, lines, batch_size=batch_size, device=device, bf16=bf16)
    seconds = time.perf_counter() - start
    parameters = sum(parameter.numel() for parameter in reader.model.parameters())
    metrics = {
        **rates(reader, readings, lines.texts, rows),
        "lines": len(lines),
        "lines_per_second": round(len(lines) / seconds, 1),
        "parameters": parameters,
        "precision": "bf16" if bf16 else "fp32",
    }
    return Evaluation(metrics, predictions_table(readings, lines))


def rates(reader: Reader, readings: Sequence[str], texts: Sequence[str], rows: Tensor) -> dict[str, float]:
    """All error rates and accuracies, names prefixed with `test_`."""
    metric = ReadingMetrics()
    metric.update(readings, texts, rows, reader.objective.encode(texts))
    return {f"test_{name}": rate for name, rate in metric.compute().items()}


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
