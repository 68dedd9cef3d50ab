"""The outputs of earlier stages for each experiment."""

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
from pipeline.data.storage.lines import Lines
from pipeline.report.analysis.alignment import Segment, align
from pipeline.report.analysis.rates import HIT_COLUMNS, Rates, resample_rates
from pipeline.runtime.timings import Timing, read_timing
from pipeline.settings.experiment import ExperimentSettings


@dataclass(frozen=True)
class Result:
    """One experiment; texts and predictions are in the order of its test lines."""

    key: str
    experiment: ExperimentSettings
    metrics: Mapping[str, Any]
    """Means over the seeds."""
    history: pd.DataFrame
    """One row per `seed` and `epoch`; the first epoch is 0."""
    texts: list[str]
    by_seed: Mapping[int, list[str]]
    """The predictions of the model of each seed."""
    trained: Timing
    evaluated: Timing
    hits: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """The sums behind accuracies per line, means over the seeds; empty for prediction files without these columns."""

    @property
    def seeds(self) -> list[int]:
        """In the order of the settings."""
        return list(self.by_seed)

    @property
    def predictions(self) -> list[str]:
        """Those of the first seed, for places that show single predictions."""
        return self.by_seed[self.seeds[0]]

    @property
    def histories(self) -> dict[int, pd.DataFrame]:
        """One row per epoch, by seed."""
        return split_by_seed(self.history)

    @cached_property
    def alignments(self) -> list[list[Segment]]:
        """How the first seed's predictions differ from the texts."""
        return [align(text, prediction) for text, prediction in zip(self.texts, self.predictions, strict=True)]

    def require_texts(self, texts: list[str], path: Path) -> None:
        """Raise an `InputError` unless the predictions belong to these lines, which are stored in `path`."""
        if self.texts != texts:
            predictions = paths.predictions(self.key)
            raise InputError(
                f"{predictions}: does not belong to the lines in {path}; run `dvc repro evaluate@{self.key}`"
            )


def read_result(key: str, experiment: ExperimentSettings) -> Result:
    """Read all outputs of one experiment.

    Raises:
        InputError: a file is missing or damaged; the message says which command writes it.
    """
    tables = split_by_seed(read_predictions(key))
    texts = {seed: list(table["text"]) for seed, table in tables.items()}
    first = next(iter(texts.values()))
    if any(seed_texts != first for seed_texts in texts.values()):
        raise InputError(f"{paths.predictions(key)}: its seeds have different lines; run `dvc repro evaluate@{key}`")
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


def measure_rates(results: Sequence[Result], lines: Lines, path: Path) -> dict[str, Rates]:
    """The rates of experiments on the same test lines, which are stored in `path`.

    Raises:
        InputError: predictions do not belong to these lines.
    """
    for result in results:
        result.require_texts(lines.texts, path)
    predictions = {result.key: list(result.by_seed.values()) for result in results}
    return resample_rates(
        lines.texts, predictions, {result.key: result.hits for result in results}, lines.image_numbers, lines.groups
    )


def mean_hits(tables: Sequence[pd.DataFrame]) -> dict[str, NDArray[np.float64]]:
    """The columns `HIT_COLUMNS`, averaged over seeds for each line."""
    if not all(set(HIT_COLUMNS) <= set(table) for table in tables):
        return {}
    return {name: np.mean([table[name].astype(float) for table in tables], axis=0) for name in HIT_COLUMNS}


def split_by_seed(table: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """The rows of each seed, in order of first appearance."""
    return {int(seed): table[table["seed"] == seed] for seed in table["seed"].unique().tolist()}


def read_metrics(key: str) -> dict[str, Any]:
    """The test metrics of one experiment."""
    path = paths.metrics(key)
    try:
        metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); run `dvc repro evaluate@{key}`") from None
    return metrics


def read_predictions(key: str) -> pd.DataFrame:
    """The predictions of one experiment; texts such as "NA" or "007" stay strings."""
    return _read_table(
        paths.predictions(key),
        f"dvc repro evaluate@{key}",
        ("seed", "text", "prediction"),
        dtype={"seed": int, "text": str, "prediction": str},
        keep_default_na=False,
        na_filter=False,
    )


def read_history(key: str) -> pd.DataFrame:
    """The training history of one experiment."""
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
