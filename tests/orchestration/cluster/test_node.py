"""The protocol of one stage in a workspace, without a cluster around it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo

from pipeline.orchestration.cluster.lock_file import write_lock
from pipeline.orchestration.cluster.node import run_in_workspace
from pipeline.orchestration.cluster.project import Project
from pipeline.orchestration.stage import StageResult

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon:DeprecationWarning")  # DVC's own


def run_elsewhere(stage: str, lock: dict[str, Any], progress: str = "") -> StageResult:
    with Repo() as repo:
        project = Project(repo)
        task = {"stage": stage, "threads": 1, "inputs": project.inputs(stage)}
        rest = {"remote": project.remote_config(), "environment": {}, "progress": progress}
        request = {"task": task, "lock": project.lock_entries(stage, lock), **rest}
        return StageResult(**run_in_workspace(json.loads(json.dumps(request)), project.code))


def run_all(stages: Sequence[str]) -> dict[str, Any]:
    lock: dict[str, Any] = {}
    for stage in stages:
        result = run_elsewhere(stage, lock)
        assert not result.status, result.output
        lock[stage] = result.lock
    return lock


def test_after_stages_in_workspaces_there_is_nothing_to_do_in_the_project(project: Path) -> None:
    stages = ("check", "left", "both")
    lock = run_all(stages)
    # An unchanged stage does not run again: its outputs are neither pulled nor made.
    assert run_elsewhere("both", lock).lock == lock["both"]
    (workspace,) = [path for path in (project.parent / "node").iterdir() if (path / "dvc.yaml").exists()]
    assert not (workspace / "both").exists()
    assert sorted(path.name for path in project.iterdir() if path.is_file()) == [
        ".dvcignore",
        "dvc.yaml",
        "source",
        "work.py",
    ]
    write_lock(lock)
    with Repo() as repo:
        repo.pull(stages)
        assert repo.status(stages) == {}
    assert (project / "both").read_text() == "both(parts/l(text ok()))"


def test_a_failure_says_why(project: Path) -> None:
    (project / "work.py").write_text("raise SystemExit('out of luck')")
    result = run_elsewhere("check", {})
    assert result.status
    assert "out of luck" in result.output


def test_a_missing_input_says_which(project: Path) -> None:
    lock = run_all(("check",))
    remote = project.parent / "remote"
    for path in [*remote.rglob("*"), *(project.parent / "node/cache").rglob("*")]:
        if path.is_file():
            path.unlink()
    result = run_elsewhere("right", lock)
    assert result.status
    assert "ok" in result.output


def test_progress_waits_in_the_remote_until_the_stage_has_ended(project: Path) -> None:
    (project / "work.py").write_text(
        "import pathlib\n"
        "last = pathlib.Path('.training/x/last.ckpt')\n"
        "last.parent.mkdir(parents=True, exist_ok=True)\n"
        "epoch = int(last.read_text()) + 1 if last.exists() else 1\n"
        "last.write_text(str(epoch))\n"
        "assert epoch == 3, f'died in epoch {epoch}'\n"
        "pathlib.Path('ok').write_text('ok')\n"
    )
    for epoch in (1, 2):
        result = run_elsewhere("check", {}, progress="check-1")
        assert f"died in epoch {epoch}" in result.output
    assert [path.name for path in (project.parent / "remote/training").iterdir()] == ["check-1.tar"]
    assert not run_elsewhere("check", {}, progress="check-1").status
    assert not list((project.parent / "remote/training").iterdir())
