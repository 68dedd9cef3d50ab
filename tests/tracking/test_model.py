import base64
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.tracking.evaluations import Evaluation
from pipeline.tracking.model import SERVING_PACKAGES
from pipeline.tracking.start import start_run
from pipeline.tracking.store import Store
from tests.imports import third_party_packages


@pytest.fixture
def model(store: Store, evaluation: Evaluation, capfd: pytest.CaptureFixture[str]) -> Path:
    """The folder of the model of a finished training."""
    paths = list(sys.path)
    with start_run("lstm_ctc", {"loss": "ctc"}, {}) as run:
        run.log_epoch(0, {"loss": 2.0})
        run.log_epoch(1, {"loss": 1.0})
        run.log_model(evaluation.checkpoint, evaluation.height)
    assert capfd.readouterr().err == ""
    assert sys.path == paths
    (output,) = store.client.get_run(run.id).outputs.model_outputs
    assert output.step == 1
    logged = store.client.get_logged_model(output.model_id)
    assert logged.status == "READY"
    assert logged.experiment_id == store.experiment_id
    assert {metric.key: metric.value for metric in logged.metrics} == {"loss": 1.0}
    assert len(store.client.get_metric_history(run.id, "loss")) == 2
    return Path(logged.artifact_location)


def test_a_logged_model_reads_lines_of_any_width(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    monkeypatch.setattr(sys, "path", list(sys.path))
    loaded = mlflow.pyfunc.load_model(str(model))
    assert loaded.predict(np.full((2, 28, 96), 255, np.uint8)) == ["weights 96", "weights 96"]
    assert loaded.predict(np.full((1, 28, 300), 255, np.uint8)) == ["weights 300"]


def test_a_logged_model_reads_pictures(model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import mlflow
    import pandas as pd

    monkeypatch.setattr(sys, "path", list(sys.path))
    pixels = np.full((56, 200), 255, np.uint8)
    pixels[10:40, 20:60] = 0
    Image.fromarray(pixels).save(tmp_path / "line.png")
    loaded = mlflow.pyfunc.load_model(str(model))
    encoded = base64.b64encode((tmp_path / "line.png").read_bytes()).decode()
    given = [str(tmp_path / "line.png"), encoded, f"data:image/png;base64,{encoded}"]
    # 30 rows of ink become 24, and 40 columns 32, with a margin of 3.
    assert loaded.predict(pd.DataFrame({"picture": given})) == ["weights 38"] * 3


def test_a_model_carries_its_code_and_no_pickle(model: Path, root: Path) -> None:
    assert model.is_relative_to(root / "mlruns")
    assert (model / "code/pipeline/tracking/store.py").is_file()
    assert (model / "artifacts/model.pt").read_text() == "weights"
    assert not list(model.rglob("__pycache__"))
    assert not list(model.rglob("*.pkl"))


def test_a_model_pins_what_it_needs(model: Path) -> None:
    requirements = (model / "requirements.txt").read_text().splitlines()
    assert all("==" in requirement and "+" not in requirement for requirement in requirements)
    names = {requirement.partition("==")[0] for requirement in requirements}
    assert {"mlflow", "numpy", "torch"} <= names


def test_a_model_requires_exactly_what_its_code_imports() -> None:
    used = third_party_packages(Path("pipeline/inference/serving.py"))
    # MLflow adds itself; the others are parts of pydantic and ruamel.yaml.
    brought = {"mlflow", "mlflow-skinny", "mlflow-tracing", "pydantic_core", "ruamel.yaml.clib"}
    assert {*SERVING_PACKAGES} == used - brought
