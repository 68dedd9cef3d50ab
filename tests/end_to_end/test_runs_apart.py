"""Runs in temporary copies and in the queue."""

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.workspace import CONV_DIM, SHORT, Workspace, assert_whole_run

if TYPE_CHECKING:
    from mlflow.entities import Run

QUEUE_SECONDS = 300


def test_a_temporary_copy_keeps_its_run_in_the_main_store(
    workspace: Workspace, new_runs: "Callable[[], list[Run]]"
) -> None:
    workspace.dvc("exp", "run", "--temp", "--name", "apart", "-S", f"{CONV_DIM}=5")
    assert workspace.git("status", "--porcelain") == ""
    (run,) = new_runs()
    assert run.data.params["model.conv_dim"] == "5"
    assert run.data.tags["dvc.exp_name"] == "apart"
    assert_whole_run(workspace, run)
    row = workspace.shown()["apart"]
    assert row[CONV_DIM] == "5"
    assert float(row[f"{SHORT}.cer"]) == pytest.approx(run.data.metrics["test_cer"], abs=1e-4)
    assert list(workspace.root.rglob("mlflow.db")) == [workspace.root / "mlflow.db"]


def test_the_queue_keeps_its_runs_in_the_main_store(workspace: Workspace, new_runs: "Callable[[], list[Run]]") -> None:
    workspace.dvc("exp", "run", "--queue", "--name", "waiting", "-S", f"{CONV_DIM}=6")
    assert new_runs() == []
    workspace.dvc("queue", "start")
    try:
        end = time.monotonic() + QUEUE_SECONDS
        # Asking DVC takes seconds of a core, which slows the run down: so ask git for its result first.
        while "/waiting" not in workspace.git("for-each-ref", "refs/exps") and time.monotonic() < end:
            time.sleep(0.5)
        while not re.search("waiting.*(Success|Failed)", status := workspace.dvc("queue", "status")):
            assert time.monotonic() < end, status
            time.sleep(1)
    finally:
        workspace.dvc("queue", "stop")
    assert re.search("waiting.*Success", status), workspace.dvc("queue", "logs", "waiting")
    assert workspace.git("status", "--porcelain") == ""
    (run,) = new_runs()
    assert run.data.params["model.conv_dim"] == "6"
    assert run.data.tags["dvc.exp_name"] == "waiting"
    assert_whole_run(workspace, run)
    row = workspace.shown()["waiting"]
    assert (row[CONV_DIM], row["State"]) == ("6", "Success")
    assert float(row[f"{SHORT}.cer"]) == pytest.approx(run.data.metrics["test_cer"], abs=1e-4)
