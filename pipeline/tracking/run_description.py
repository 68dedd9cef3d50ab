"""How an experiment describes itself in its MLflow run: settings, tags to filter by, a note, a part of the name."""

from typing import Any

from pipeline.common import paths
from pipeline.common.files import file_md5
from pipeline.data.storage.line_store import read_attributes
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings


def run_settings(experiment: ExperimentSettings, training: TrainingSettings, seed: int) -> dict[str, Any]:
    """Every setting that decides the result of one seed, nested by block."""
    return {
        **experiment.model_dump(exclude={"training"}),
        "seed": seed,
        "training": training.model_dump(exclude={"seeds"}),
    }


def run_variant(training: TrainingSettings, seed: int) -> str:
    """The seed as a part of the run's name; empty if the experiment has only one seed."""
    return f"seed {seed}" if len(training.seeds) > 1 else ""


def run_tags(experiment: ExperimentSettings, seed: int) -> dict[str, str]:
    """Model, loss, lines, seed, and the data's name and hash."""
    lines = paths.lines(experiment.lines)
    return {
        "model": experiment.model.name,
        "loss": experiment.loss,
        "lines": experiment.lines,
        "seed": str(seed),
        "data": str(read_attributes(lines)["data"]),
        "data_md5": file_md5(lines),
    }


def run_note(key: str, experiment: ExperimentSettings, training: TrainingSettings) -> str:
    """One sentence about the experiment for the run's page."""
    lines = read_attributes(paths.lines(experiment.lines))
    number = "endless" if training.endless else f"{lines['train']:,}"
    return (
        f"{key}: {experiment.model.name} trained with {experiment.loss} on {number} lines "
        f"'{experiment.lines}' made from {lines['data']} and the text of {lines['corpus']}."
    )
