"""What the earlier stages left of each experiment."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.report.analysis.alignment import Segment, align
from pipeline.report.analysis.rates import HITS
from pipeline.runtime.timings import Timing, read_timing
from pipeline.settings.experiment import ExperimentSettings


@dataclass(frozen=True)
class Result:
    """One experiment; `texts` and readings are in the order of its test lines."""

    key: str
    experiment: ExperimentSettings
    metrics: Mapping[str, Any]
    """Means over the seeds."""
    history: pd.DataFrame
    """One row per `seed` and `epoch`, which begins at 0."""
    texts: list[str]
    by_seed: Mapping[int, list[str]]
    """The readings of the model of each seed."""
    trained: Timing
    evaluated: Timing
    hits: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """What accuracies are made of, by line, means over the seeds; none in predictions of an earlier form."""

    @property
    def seeds(self) -> list[int]:
        """In the order of the settings."""
        return list(self.by_seed)

    @property
    def readings(self) -> list[str]:
        """Of the first seed, which stands for all where single readings are shown."""
        return self.by_seed[self.seeds[0]]

    @property
    def histories(self) -> dict[int, pd.DataFrame]:
        """One row per epoch, by seed."""
        return split_by_seed(self.history)

    @cached_property
    def alignments(self) -> list[list[Segment]]:
        """How each reading of the first seed came from its text."""
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
    tables = split_by_seed(read_predictions(key))
    texts = {seed: list(table["text"]) for seed, table in tables.items()}
    first = next(iter(texts.values()))
    if any(others != first for others in texts.values()):
        raise InputError(f"{paths.predictions(key)}: its seeds read different lines; run `dvc repro evaluate@{key}`")
    return Result(
        key,
        experiment,
        read_metrics(key),
        read_history(key),
        first,
        {seed: list(table["prediction"]) for seed, table in tables.items()},
        read_timing(key, "train"),
        read_timing(key, "evaluate"),
        mean_hits(list(tables.values())),
    )


def mean_hits(tables: Sequence[pd.DataFrame]) -> dict[str, NDArray[np.float64]]:
    """The columns `HITS` of the predictions of each seed, averaged line by line."""
    if not all(set(HITS) <= set(table) for table in tables):
        return {}
    return {name: np.mean([table[name].astype(float) for table in tables], axis=0) for name in HITS}


def split_by_seed(table: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """The rows of each value of the column `seed`, in the order of the first of each."""
    return {int(seed): table[table["seed"] == seed] for seed in table["seed"].unique().tolist()}


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
        ("seed", "text", "prediction"),
        dtype={"seed": int, "text": str, "prediction": str},
        keep_default_na=False,
        na_filter=False,
    )


def read_history(key: str) -> pd.DataFrame:
    """The epochs of one experiment's trainings."""
    return _read_table(paths.history(key), f"dvc repro train@{key}", ("seed", "epoch"), dtype={"seed": int})


def _read_table(path: Path, command: str, columns: Sequence[str], **options: Any) -> pd.DataFrame:
    try:
        table: pd.DataFrame = pd.read_csv(path, **options)
        if missing := [name for name in columns if name not in table]:
            raise ValueError(f"no column {missing[0]}")
        if table.empty:
            raise ValueError("no rows")
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise InputError(f"{path}: cannot be read ({reason}); run `{command}`") from None
    return table
