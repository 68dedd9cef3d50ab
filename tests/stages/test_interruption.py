"""A training that is killed and run again gives the same bytes as one without an interruption."""

import multiprocessing
import os
import runpy
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from pipeline.tracking.store import open_store
from pipeline.training.resume import FOLDER
from tests.projects import Project, write_lines
from tests.stage_server import LIBRARIES
from tests.tiny import tiny_lines

OUTPUTS = (Path("models/own/seed_42.ckpt"), Path("history/own.csv"))
SECONDS = 120
EPOCHS = 40
"""So many that the signal arrives during the training."""


@pytest.fixture
def ready(project: Project, empty_store: Path) -> Project:
    """A project with an experiment `own` that trains for some seconds, and a store of its own."""
    shutil.copy(empty_store, project.root)
    write_lines(project.root / "data/lines/own.h5", tiny_lines(["AB", "CCA", "hi B", "A"]))
    model = {"name": "line_cnn", "window_width": 16, "window_stride": 8, "conv_dim": 4, "fc_dim": 24}
    trainer = {"accelerator": "cpu", "precision": "32-true"}
    training = {"max_epochs": EPOCHS, "early_stopping_patience": EPOCHS, "trainer": trainer}
    project.change(experiments={"own": {"lines": "own", "loss": "ctc", "model": model, "training": training}})
    return project


def run_stage(root: Path, environment: Mapping[str, str]) -> None:
    """In a process of its own: `python -m stages train own`."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.chdir(root)
    os.environ.clear()
    os.environ.update(environment)
    # Background jobs of a shell ignore Ctrl-C, and their children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["stages", "train", "own"]
    runpy.run_module("stages", run_name="__main__", alter_sys=True)


def start(project: Project) -> ForkServerProcess:
    """Start the stage in a fork of a process that has imported the libraries, which saves seconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*LIBRARIES])
    process = context.Process(target=run_stage, args=(project.root, dict(os.environ)))
    process.start()
    return process


def wait(process: ForkServerProcess) -> int | None:
    process.join(SECONDS)
    return process.exitcode


def saved_at(project: Project) -> list[int]:
    """When the last complete epoch was saved."""
    return [path.stat().st_mtime_ns for path in (project.root / FOLDER).glob("*/last.ckpt")]


def wait_for_epoch(project: Project, process: ForkServerProcess, before: list[int]) -> None:
    end = time.monotonic() + SECONDS
    while saved_at(project) in ([], before):
        assert process.is_alive()
        assert time.monotonic() < end
        time.sleep(0.02)


def runs() -> list[tuple[str, str, int]]:
    """Name, status and number of epochs of each run in MLflow."""
    store = open_store()
    found = store.client.search_runs([store.experiment_id])
    epochs = [{metric.step for metric in store.client.get_metric_history(r.info.run_id, "val_cer")} for r in found]
    return [(run.info.run_name, run.info.status, len(steps)) for run, steps in zip(found, epochs, strict=True)]


def test_killed_trainings_resume_and_give_the_same_bytes(ready: Project) -> None:
    assert wait(start(ready)) == 0
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
        assert process.pid
        os.kill(process.pid, sent)
        assert wait(process) == status
        assert not any(path.exists() for path in OUTPUTS)
        newest, _ = runs()
        assert newest[:2] == ("own", marked)
    assert wait(start(ready)) == 0
    assert [path.read_bytes() for path in OUTPUTS] == whole
    assert runs() == [("own", "FINISHED", EPOCHS)] * 2
    assert not [path for path in (ready.root / FOLDER).iterdir() if path.is_dir()]
