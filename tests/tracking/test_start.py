import json
import subprocess
from pathlib import Path

import pytest

from pipeline.tracking.start import COMMIT, origin_tags, start_run
from pipeline.tracking.store import Store


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
    monkeypatch.setenv(COMMIT, "beef")  # as on a machine of a cluster
    assert origin_tags()["git.commit"] == "beef"


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
