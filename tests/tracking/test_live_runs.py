"""Runs whose process died are ended; runs of living processes, other projects and other stores are not."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.tracking.evaluations import sync
from pipeline.tracking.start import create_run, start_run
from pipeline.tracking.store import Store, open_store
from tests.tracking.conftest import change, python_environment, use_root

TRAINING = """
import sys
from pipeline.tracking.start import start_run
with start_run("key", {}, {}) as run:
    print(run.id, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def training(root: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a run until it is killed."""
    command = [sys.executable, "-c", TRAINING]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen(command, env=python_environment(root), text=True, **pipes)
    yield process
    process.kill()
    process.communicate()


def status(store: Store, run_id: str) -> str:
    return str(store.client.get_run(run_id).info.status)


def test_a_run_is_ended_when_its_process_is_dead_and_not_before(
    root: Path, training: subprocess.Popen[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert training.stdout
    run_id = training.stdout.readline().strip()
    sync([])
    with start_run("other", {}, {}):
        store = open_store()
        assert status(store, run_id) == "RUNNING"

    training.kill()
    training.wait()
    use_root(monkeypatch, root.with_name("another project"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root}/mlflow.db")
    sync([])
    assert status(store, run_id) == "RUNNING"

    use_root(monkeypatch, root)
    capsys.readouterr()
    sync([])
    assert status(store, run_id) == "KILLED"
    sync([])
    assert capsys.readouterr().out == "ended 1 whose process died\n" + "made 0 filled 0 same 0\n" * 2
    assert not list((root / ".training").iterdir())


def test_the_next_start_ends_a_dead_run_or_takes_it_up_again(root: Path, store: Store) -> None:
    dead = [create_run(store, "key", {}, {}).id for _ in range(2)]
    with start_run("key", {}, {}, resume=dead[0]) as run:
        assert [status(store, one) for one in dead] == ["RUNNING", "KILLED"]
    assert run.id == dead[0]
    assert status(store, run.id) == "FINISHED"
    assert not list((root / ".training").iterdir())


def test_a_run_that_could_not_be_ended_is_ended_later(
    root: Path, store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    with start_run("key", {}, {}) as run:
        change(root / "mlflow.db", "ALTER TABLE runs RENAME TO lost")
    assert "MLflow did not keep this run" in capfd.readouterr().err
    change(root / "mlflow.db", "ALTER TABLE lost RENAME TO runs")
    assert status(store, run.id) == "RUNNING"
    sync([])
    assert status(store, run.id) == "KILLED"


def test_a_run_in_another_store_waits_for_it(
    root: Path, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dead = create_run(store, "key", {}, {}).id
    shutil.copy(root / "mlflow.db", tmp_path / "other.db")
    change(tmp_path / "other.db", "DELETE FROM runs")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/other.db")
    sync([])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    sync([])
    assert status(store, dead) == "KILLED"


def test_a_deleted_run_stays_as_it_is(root: Path, store: Store) -> None:
    dead = create_run(store, "key", {}, {}).id
    store.client.delete_run(dead)
    sync([])
    assert status(store, dead) == "RUNNING"
    assert not list((root / ".training").iterdir())
