from pathlib import Path

import pytest
from PIL import Image

from pipeline.tracking.run import Run
from pipeline.tracking.start import start_run
from pipeline.tracking.store import Store
from tests.tracking.conftest import change


def test_a_training_can_be_read_back(store: Store, tmp_path: Path) -> None:
    (tmp_path / "drawn.png").write_bytes(b"a picture")
    settings = {"model": {"name": "cnn", "sizes": [1, 2], "dropout": None}, "wrap": True, "none": {}}

    with start_run("lstm_ctc", settings, {"loss": "ctc"}, note="About it.") as run:
        assert store.client.get_run(run.id).info.status == "RUNNING"
        run.log_epoch(0, {"loss": 2.0, "cer": None})
        run.log_epoch(1, {"loss": 1.0, "cer": 0.5, "a": float("nan"), "b": float("inf")})
        run.log_file(tmp_path / "drawn.png")
        run.mark_complete("abc")

    kept = store.client.get_run(run.id)
    assert kept.info.status == "FINISHED"
    assert kept.info.run_name == "lstm_ctc"
    assert kept.data.params == {
        "model.name": "cnn",
        "model.sizes": "[1, 2]",
        "model.dropout": "null",
        "wrap": "true",
        "none": "{}",
    }
    assert kept.data.metrics == {"loss": 1.0, "cer": 0.5}
    history = store.client.get_metric_history(run.id, "loss")
    assert [(metric.step, metric.value) for metric in history] == [(0, 2.0), (1, 1.0)]
    expected = {"experiment_key": "lstm_ctc", "loss": "ctc", "source": "train", "model_md5": "abc"}
    assert expected.items() <= kept.data.tags.items()
    assert kept.data.tags["mlflow.note.content"] == "About it."
    assert not [tag for tag in kept.data.tags if tag.startswith("dvc.")]
    assert [file.path for file in store.client.list_artifacts(run.id)] == ["drawn.png"]
    assert Path(store.client.download_artifacts(run.id, "drawn.png")).read_bytes() == b"a picture"


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt, "KILLED"), (RuntimeError, "FAILED"), (SystemExit, "KILLED")]
)
def test_an_interrupted_training_shows_it(store: Store, error: type[BaseException], status: str) -> None:
    with pytest.raises(error), start_run("key", {}, {}) as run:
        raise error
    assert store.client.get_run(run.id).info.status == status


def test_a_training_survives_its_store(
    store: Store, root: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with start_run("key", {}, {}) as run:
        run.log_epoch(0, {"loss": 1.0})
        change(root / "mlflow.db", "ALTER TABLE metrics RENAME TO lost")
        run.log_epoch(1, {"loss": 0.5})
        run.log_epoch(2, {"loss": 0.25})
        run.log_file(tmp_path / "missing.png")
        run.mark_complete("abc")
        change(root / "mlflow.db", "ALTER TABLE lost RENAME TO metrics")

    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("warning: MLflow did not keep this run")
    assert "no such table" in lines[0]
    kept = store.client.get_run(run.id)
    assert kept.info.status == "FAILED"
    assert "model_md5" not in kept.data.tags


def test_tracking_is_silent(store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    with start_run("key", {}, {}) as run:
        run.log_epoch(0, {"loss": 1.0})
        run.mark_complete("abc")
    assert capfd.readouterr() == ("", "")


def test_a_run_without_best_effort_raises(store: Store, root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from mlflow.exceptions import MlflowException

    with start_run("key", {}, {}) as started:
        pass
    run = Run(store, started.id)
    change(root / "mlflow.db", "ALTER TABLE metrics RENAME TO lost")
    for _ in range(2):
        with pytest.raises(MlflowException):
            run.log_epoch(0, {"loss": 1.0})
    change(root / "mlflow.db", "ALTER TABLE lost RENAME TO metrics")
    run.log_epoch(0, {"loss": 1.0})
    assert store.client.get_run(run.id).data.metrics == {"loss": 1.0}
    assert capfd.readouterr().err == ""


def test_the_drawings_of_epochs_are_a_series(store: Store) -> None:
    with start_run("key", {}, {}) as run:
        for epoch in range(2):
            run.log_drawing("lines", epoch, lambda path: Image.new("L", (4, 2)).save(path))
    paths = [file.path for file in store.client.list_artifacts(run.id, "images")]
    pictures = sorted(path.split("+timestamp")[0] for path in paths if path.endswith(".png"))
    assert pictures == ["images/lines+step+0", "images/lines+step+1"]


def test_a_drawing_that_fails_costs_only_the_run(store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    with start_run("key", {}, {}) as run:
        run.log_drawing("lines", 0, lambda path: None)
        run.mark_complete("abc")
    assert "No such file" in capfd.readouterr().err
    kept = store.client.get_run(run.id)
    assert kept.info.status == "FAILED"
    assert "model_md5" not in kept.data.tags
