import json
import subprocess
from pathlib import Path

import pytest

from pipeline.tracking.run import start_run
from pipeline.tracking.store import Store
from tests.tracking.conftest import change


def test_a_training_can_be_read_back(store: Store, tmp_path: Path) -> None:
    picture = tmp_path / "drawn.png"
    picture.write_bytes(b"a picture")
    settings = {"model": {"name": "cnn", "sizes": [1, 2], "dropout": None}, "wrap": True, "none": {}}

    with start_run("lstm_ctc", settings, {"loss": "ctc"}, note="About it.") as run:
        assert store.client.get_run(run.id).info.status == "RUNNING"
        run.log_epoch(0, {"loss": 2.0, "cer": None})
        run.log_epoch(1, {"loss": 1.0, "cer": 0.5, "a": float("nan"), "b": float("inf")})
        run.log_picture("lines/best.png", picture)
        run.log_text("top.txt", "text")
        run.finish("abc")

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
    assert {file.path for file in store.client.list_artifacts(run.id)} == {"lines", "top.txt"}
    assert [file.path for file in store.client.list_artifacts(run.id, "lines")] == ["lines/best.png"]


def test_a_run_names_its_lines(store: Store) -> None:
    with start_run("lstm_ctc", {}, {"lines": "variable", "data_md5": "0" * 32}) as run:
        pass
    (used,) = store.client.get_run(run.id).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("variable", "0" * 32)
    assert json.loads(used.dataset.source) == {"uri": "data/lines/variable.h5"}
    assert {tag.key: tag.value for tag in used.tags} == {"mlflow.data.context": "train"}


def test_a_run_says_where_it_comes_from(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "EXP_NAME": "tall-elm",
        "EXP_BASELINE_REV": "cafe",
        "STAGE": "train@lstm_ctc",
    }.items():
        monkeypatch.setenv(f"DVC_{name}", value)
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", "start"], check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()

    with start_run("lstm_ctc", {}, {}) as run:
        pass

    kept = store.client.get_run(run.id)
    assert kept.info.run_name == "lstm_ctc (tall-elm)"
    expected = {
        "dvc.exp_name": "tall-elm",
        "dvc.baseline": "cafe",
        "dvc.stage": "train@lstm_ctc",
        "git.commit": commit,
        "mlflow.source.git.commit": commit,
    }
    assert expected.items() <= kept.data.tags.items()


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt, "KILLED"), (RuntimeError, "FAILED"), (SystemExit, "KILLED")]
)
def test_an_interrupted_training_shows_it(store: Store, error: type[BaseException], status: str) -> None:
    with pytest.raises(error), start_run("key", {}, {}) as run:
        raise error
    assert store.client.get_run(run.id).info.status == status


def test_an_interrupted_run_can_be_resumed(store: Store) -> None:
    with start_run("key", {"a": 1}, {}) as first:
        first.log_epoch(0, {"loss": 2.0})
    store.client.update_run(first.id, status="KILLED")

    with start_run("key", {"a": 1}, {}, resume=first.id) as second:
        assert store.client.get_run(first.id).info.status == "RUNNING"
        second.log_epoch(1, {"loss": 1.0})

    assert second.id == first.id
    history = store.client.get_metric_history(first.id, "loss")
    assert [metric.step for metric in history] == [0, 1]
    assert store.client.get_run(first.id).info.status == "FINISHED"


def test_a_run_that_is_gone_is_not_resumed(store: Store) -> None:
    with start_run("key", {}, {}) as deleted:
        pass
    store.client.delete_run(deleted.id)
    for gone in (deleted.id, "0" * 32):
        with start_run("key", {"a": 1}, {}, resume=gone) as run:
            pass
        assert run.id != gone
        assert store.client.get_run(run.id).data.params == {"a": "1"}


def test_long_and_many_settings_are_kept(store: Store) -> None:
    settings = {f"setting_{number}": number for number in range(250)} | {"long": "é" * 10_000}
    with start_run("key", settings, {}) as run:
        pass
    params = store.client.get_run(run.id).data.params
    assert params["long"] == "é" * 499 + "…"
    assert len(params) == 251


def test_a_training_survives_its_store(
    store: Store, root: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with start_run("key", {}, {}) as run:
        run.log_epoch(0, {"loss": 1.0})
        change(root / "mlflow.db", "ALTER TABLE metrics RENAME TO lost")
        run.log_epoch(1, {"loss": 0.5})
        run.log_epoch(2, {"loss": 0.25})
        run.log_picture("missing.png", tmp_path / "missing.png")
        run.finish("abc")
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
        run.finish("abc")
    assert capfd.readouterr() == ("", "")
