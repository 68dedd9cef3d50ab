import os
import shutil
import sqlite3
import sys
import types
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.settings.experiment import ExperimentSettings
from pipeline.tracking.evaluations import Evaluation
from pipeline.tracking.store import Store, open_store
from tests.projects import write_lines
from tests.tiny import tiny_lines, tiny_model, tiny_training

ENVIRONMENT = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV", "DVC_STAGE")
TRAINING = tiny_training(learning_rate=0.25, max_epochs=7)


def change(database: Path, statement: str, *values: str) -> None:
    """Change a store behind MLflow's back."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(statement, values)


def use_root(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    # MLflow sets the URI in the environment itself; set first, it is undone with the rest.
    for name in ENVIRONMENT:
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("DVC_ROOT", str(root))


@pytest.fixture
def copy_store(empty_store: Path) -> Callable[[Path, Path], None]:
    def copy(root: Path, database: Path) -> None:
        database.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(empty_store, database)
        artifacts = str(root / "mlruns" / "emnist-lines")
        change(database, "UPDATE experiments SET artifact_location = ? WHERE name = 'emnist-lines'", artifacts)

    return copy


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copy_store: Callable[[Path, Path], None]) -> Path:
    """A project root with an empty store, which the process does not stand in."""
    folder = tmp_path / "root"
    copy_store(folder, folder / "mlflow.db")
    use_root(monkeypatch, folder)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return folder


@pytest.fixture
def store(root: Path) -> Store:
    return open_store()


@pytest.fixture
def evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evaluation:
    """A trained experiment of two epochs, whose recognizer says its checkpoint's text and a line's width."""
    predictions = types.ModuleType("pipeline.inference.line_predictions")
    vars(predictions)["load_predictor"] = _Predictor
    monkeypatch.setitem(sys.modules, "pipeline.inference.line_predictions", predictions)
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    (outputs / "model.pt").write_text("weights")
    (outputs / "history.csv").write_text("epoch,train_loss,val_cer\n0,2.5,\n1,1.5,0.25\n")
    (outputs / "worst.png").write_bytes(b"a picture")
    return Evaluation(
        experiment_key="lstm_ctc",
        settings={"model": {"name": "line_cnn_lstm"}, "loss": "ctc"},
        tags={"model": "line_cnn_lstm", "data_md5": "d41d"},
        checkpoint=outputs / "model.pt",
        history=outputs / "history.csv",
        metrics={"cer": 0.125, "wer": 0.5, "never": None},
        pictures=[outputs / "worst.png"],
        note="An LSTM over a CNN.",
    )


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ExperimentSettings:
    """An experiment on lines that lie in the working folder."""
    monkeypatch.chdir(tmp_path)
    write_lines(Path("data/lines/own.h5"), tiny_lines(["word"] * 1234))
    model = tiny_model("line_cnn_lstm").model_dump()
    block: dict[str, Any] = {"lines": "own", "loss": "ctc", "model": model, "training": {"max_epochs": 7}}
    return ExperimentSettings.model_validate(block)


class _Predictor:
    recognizer = types.SimpleNamespace(model=types.SimpleNamespace(height=28))

    def __init__(self, checkpoint: Path) -> None:
        self.text = checkpoint.read_text()

    def predict(self, images: list[np.ndarray]) -> list[types.SimpleNamespace]:
        assert {image.dtype for image in images} <= {np.dtype(np.uint8)}
        return [types.SimpleNamespace(text=f"{self.text} {image.shape[1]}") for image in images]


def python_environment(root: Path) -> dict[str, str]:
    """The environment of a process of its own that works on `root`."""
    repository = str(Path(__file__).parents[2])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "DVC"))}
    return {**kept, "DVC_ROOT": str(root), "PYTHONPATH": repository, "PYTHONWARNINGS": "error"}
