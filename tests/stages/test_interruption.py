"""A training that is killed and run again gives the same bytes as one without an interruption."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.tracking.store import open_store
from pipeline.training.resume import FOLDER
from tests.imports import ROOT
from tests.projects import Project, write_lines
from tests.tiny import tiny_lines

OUTPUTS = (Path("models/own/seed_42.ckpt"), Path("history/own.csv"))
SECONDS = 120
EPOCHS = 80
"""So many that the signal arrives during the training."""


@pytest.fixture
def ready(project: Project) -> Project:
    """A project with an experiment `own` that trains for some seconds, and a store of its own."""
    write_lines(project.root / "data/lines/own.h5", tiny_lines(["AB", "CCA", "hi B", "A"]))
    model = {"name": "line_cnn", "window_width": 16, "window_stride": 8, "conv_dim": 4, "fc_dim": 24}
    trainer = {"accelerator": "cpu", "precision": "32-true"}
    training = {"max_epochs": EPOCHS, "early_stopping_patience": EPOCHS, "trainer": trainer}
    project.change(experiments={"own": {"lines": "own", "loss": "ctc", "model": model, "training": training}})
    return project


def start(project: Project) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "stages", "train", "own"]
    # Background jobs of a shell ignore Ctrl-C, and their children inherit that.
    return subprocess.Popen(
        command,
        cwd=project.root,
        env=environment,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def saved_at(project: Project) -> list[int]:
    """When the last complete epoch was saved."""
    return [path.stat().st_mtime_ns for path in (project.root / FOLDER).glob("*/last.ckpt")]


def wait_for_epoch(project: Project, process: subprocess.Popen[bytes], before: list[int]) -> None:
    end = time.monotonic() + SECONDS
    while saved_at(project) in ([], before):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)


def runs() -> list[tuple[str, str, int]]:
    """Name, status and number of epochs of each run in MLflow."""
    store = open_store()
    found = store.client.search_runs([store.experiment_id])
    epochs = [{metric.step for metric in store.client.get_metric_history(r.info.run_id, "val_cer")} for r in found]
    return [(run.info.run_name, run.info.status, len(steps)) for run, steps in zip(found, epochs, strict=True)]


def test_killed_trainings_resume_and_give_the_same_bytes(ready: Project) -> None:
    assert start(ready).wait(SECONDS) == 0
    whole = [path.read_bytes() for path in OUTPUTS]
    assert runs() == [("own", "FINISHED", EPOCHS)]
    for path in OUTPUTS:
        path.unlink()
    for sent, status, marked in (
        (signal.SIGINT, 1, "KILLED"),
        (signal.SIGTERM, 128 + signal.SIGTERM, "KILLED"),
        (signal.SIGKILL, -signal.SIGKILL, "RUNNING"),
    ):
        before = saved_at(ready)
        process = start(ready)
        wait_for_epoch(ready, process, before)
        process.send_signal(sent)
        assert process.wait(SECONDS) == status
        assert not any(path.exists() for path in OUTPUTS)
        newest, _ = runs()
        assert newest[:2] == ("own", marked)
    assert start(ready).wait(SECONDS) == 0
    assert [path.read_bytes() for path in OUTPUTS] == whole
    assert runs() == [("own", "FINISHED", EPOCHS)] * 2
    assert not [path for path in (ready.root / FOLDER).iterdir() if path.is_dir()]
