"""What an experiment's run in MLflow says of itself: tags to filter by, settings, results, a note to read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import paths
from pipeline.data.line_store import read_attributes
from pipeline.files import md5_of
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings
from pipeline.tracking import Evaluation


def settings_of(experiment: ExperimentSettings, training: TrainingSettings) -> dict[str, Any]:
    """Every setting that decides the result, nested by block."""
    return {**experiment.model_dump(exclude={"training"}), "training": training.model_dump()}


def tags_of(experiment: ExperimentSettings) -> dict[str, str]:
    """Model, loss, lines, and the data's name and hash."""
    lines = paths.lines(experiment.lines)
    return {
        "model": experiment.model.name,
        "loss": experiment.loss,
        "lines": experiment.lines,
        "data": str(read_attributes(lines)["data"]),
        "data_md5": md5_of(lines),
    }


def note_of(key: str, experiment: ExperimentSettings, training: TrainingSettings) -> str:
    """One sentence for people."""
    lines = read_attributes(paths.lines(experiment.lines))
    number = "endless" if training.endless else f"{lines['train']:,}"
    return (
        f"{key}: {experiment.model.name} trained with {experiment.loss} on {number} lines "
        f"'{experiment.lines}' made from {lines['data']} and the text of {lines['corpus']}."
    )


def evaluation_of(
    key: str, experiment: ExperimentSettings, training: TrainingSettings, pictures: Mapping[str, Path] | None = None
) -> Evaluation:
    """An experiment's outputs as the tracker takes them; without metrics where it is not evaluated yet."""
    metrics = paths.metrics(key)
    measured = json.loads(metrics.read_text(encoding="utf-8")) if metrics.exists() else {}
    return Evaluation(
        experiment_key=key,
        settings=settings_of(experiment, training),
        tags=tags_of(experiment),
        checkpoint=paths.checkpoint(key),
        history=paths.history(key),
        metrics={name.removeprefix("test_"): v for name, v in measured.items() if isinstance(v, int | float)},
        pictures=pictures or {},
        note=note_of(key, experiment, training),
    )
