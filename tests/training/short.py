"""Trainings that take a second, and what they made."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.models.checkpoint import RecognizerSettings, save_checkpoint
from pipeline.settings.experiment import TrainingSettings
from pipeline.training.train import TrainingResult, train
from tests.tiny import tiny_lines

TEXTS = ["AB", "CCA", "hi B", "A"]


def fit(
    settings: RecognizerSettings,
    training: TrainingSettings,
    texts: Sequence[str] = TEXTS,
    validation: Sequence[str] = TEXTS,
    load: str | None = None,
) -> TrainingResult:
    return train(settings, training, tiny_lines(texts), tiny_lines(validation, seed=1), load=load)


def checkpoint_bytes(trained: TrainingResult, settings: RecognizerSettings, folder: Path) -> bytes:
    save_checkpoint(folder / "model.pt", settings, trained.recognizer)
    return (folder / "model.pt").read_bytes()
