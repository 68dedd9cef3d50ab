"""What the earlier stages left of each experiment."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import paths
from pipeline.errors import InputError
from pipeline.report.alignment import Segment, align
from pipeline.settings.experiment import ExperimentSettings


@dataclass(frozen=True)
class Result:
    """One experiment; `texts` and `readings` are in the order of its test lines."""

    key: str
    experiment: ExperimentSettings
    metrics: Mapping[str, Any]
    history: pd.DataFrame
    """One row per epoch, which begins at 0."""
    texts: list[str]
    readings: list[str]

    @cached_property
    def alignments(self) -> list[list[Segment]]:
        """How each reading came from its text."""
        return [align(text, reading) for text, reading in zip(self.texts, self.readings, strict=True)]

    def require_texts(self, texts: list[str], path: Path) -> None:
        """Raise an `InputError` unless the predictions are of these lines, which are kept in `path`."""
        if self.texts != texts:
            predictions = paths.predictions(self.key)
            raise InputError(f"{predictions}: not of the lines in {path}; run `dvc repro evaluate@{self.key}`")


def read_result(key: str, experiment: ExperimentSettings) -> Result:
    """All that was kept of one experiment.

    Raises:
        InputError: a file is absent or damaged; the message says what makes it.
    """
    metrics, predictions = read_metrics(key), read_predictions(key)
    return Result(
        key, experiment, metrics, read_history(key), list(predictions["text"]), list(predictions["prediction"])
    )


def read_metrics(key: str) -> dict[str, Any]:
    """What evaluation measured of one experiment."""
    path = paths.metrics(key)
    try:
        metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); run `dvc repro evaluate@{key}`") from None
    return metrics


def read_predictions(key: str) -> pd.DataFrame:
    """The predictions of one experiment; a line that says "NA" or "007" stays text."""
    return _read_table(
        paths.predictions(key),
        f"dvc repro evaluate@{key}",
        dtype={"text": str, "prediction": str},
        keep_default_na=False,
        na_filter=False,
    )


def read_history(key: str) -> pd.DataFrame:
    """The epochs of one experiment's training."""
    return _read_table(paths.history(key), f"dvc repro train@{key}")


def _read_table(path: Path, command: str, **options: Any) -> pd.DataFrame:
    try:
        table: pd.DataFrame = pd.read_csv(path, **options)
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise InputError(f"{path}: cannot be read ({reason}); run `{command}`") from None
    return table
