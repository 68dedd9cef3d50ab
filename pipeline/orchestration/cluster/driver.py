"""Run the stages of a plan on a cluster, and bring their results into this project."""

import csv
import os
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from dvc.repo import Repo

from pipeline.common.errors import InputError
from pipeline.common.files import write_text
from pipeline.orchestration.cluster.engine import RayEngine
from pipeline.orchestration.cluster.lock_file import LockFile, read_lock
from pipeline.orchestration.cluster.project import Project
from pipeline.orchestration.parallel import run
from pipeline.orchestration.plan import Graph, Plan
from pipeline.orchestration.stage import StageResult, transfer
from pipeline.runtime.processes import terminate_children_on_sigterm
from pipeline.settings.cluster import read_cluster_settings
from pipeline.tracking.start import COMMIT, git_commit

LOGS = Path(".dvc/tmp/cluster")
TIMES = LOGS / "stages.csv"
COLUMNS = ["stage", "machine", "seconds", "pull", "run", "push", "input_bytes", "output_bytes"]
"""`seconds` are all from the request to the answer, those that a stage waits for room too."""
PASSED_ON = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV")
"""Environment variables that stages get from here. Others are those of their machine."""
FILES = ("sqlite:", "file:")


def run_on_cluster(plan: Plan, address: str, jobs: int | None, work_here: Callable[[str], StageResult]) -> list[str]:
    """Run all stages of the plan, and return those that failed.

    Some run here, by `work_here`, one at a time. At most `jobs` run on the cluster at once; None is as many as it has
    room for.

    Raises:
        InputError: there is no cluster or no DVC remote, or a transfer fails.
    """
    with Repo() as repo:
        project = Project(repo)
        remote, division = project.remote_config(), project.divide(plan)
        project.refuse_new_files(division.cluster)
        with RayEngine(address, read_cluster_settings(), project.code) as engine:
            terminate_children_on_sigterm()  # Ray has replaced this
            if shortage := engine.describe_shortage(sorted(division.cluster)):
                print(shortage, flush=True)
            if failed := run(_part(plan.graph, division.before), 1, work_here):
                return failed
            _push_inputs(project, plan, division.cluster)
            cluster = _Cluster(project, engine, remote)
            graph = _part(plan.graph, division.cluster)
            try:
                failed = run(graph, jobs or max(1, len(graph)), cluster.work, engine.stop)
            finally:
                cluster.lock.write()
        _transfer("pull", sorted(cluster.done), "--force")
        return failed or run(_part(plan.graph, division.after), 1, work_here)


class _Cluster:
    """What the stages have in common."""

    def __init__(self, project: Project, engine: RayEngine, remote: str) -> None:
        self.project, self.engine, self.remote = project, engine, remote
        self.lock = LockFile()
        self.done: set[str] = set()
        self._merging = threading.Lock()
        self._environment = {name: os.environ[name] for name in PASSED_ON if _holds_elsewhere(name)}
        if commit := git_commit():
            self._environment[COMMIT] = commit

    def work(self, stage: str) -> StageResult:
        """Run one stage on the cluster; write its log, and merge its entry into `dvc.lock`."""
        log, start = LOGS / f"{stage}.log", time.monotonic()
        result = StageResult(**self.engine.run(self._request(stage)))
        seconds = time.monotonic() - start
        write_text(log, result.output)
        if result.status:
            return StageResult(stage, result.status, f"{result.output}{stage}: failed, see {log}\n")
        with self._merging:
            self.lock.merge(stage, result.lock)
            self.done.add(stage)
            _append_times(result, seconds)
        moving = result.seconds["pull"] + result.seconds["push"]
        line = f"{stage}: {result.seconds['run']:.1f} s on {result.host}, and {moving:.1f} s for its files\n"
        return StageResult(stage, 0, line)

    def _request(self, stage: str) -> dict[str, Any]:
        with self._merging:
            lock = self.project.lock_entries(stage, self.lock.entries)
        inputs, threads = self.project.inputs(stage), self.engine.threads(stage)
        return {
            "task": {"stage": stage, "threads": threads, "inputs": inputs},
            "lock": lock,
            "remote": self.remote,
            "environment": self._environment,
            "progress": f"{stage}-{self.project.identity}" if stage.startswith("train@") else "",
        }


def _part(graph: Graph, stages: set[str]) -> Graph:
    return {stage: before & stages for stage, before in graph.items() if stage in stages}


def _append_times(result: StageResult, seconds: float) -> None:
    sizes = [sum(entry.get("size", 0) for entry in result.lock.get(kind, [])) for kind in ("deps", "outs")]
    steps = [round(value, 3) for value in (seconds, *(result.seconds[step] for step in ("pull", "run", "push")))]
    new = not TIMES.exists()
    with TIMES.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([COLUMNS] * new + [[result.stage, result.host, *steps, *sizes]])


def _holds_elsewhere(name: str) -> bool:
    """Whether the variable means the same on other machines, as an address does; a file of this one does not."""
    value = os.environ.get(name, "")
    return bool(value) and (name != "MLFLOW_TRACKING_URI" or (not value.startswith(FILES) and "://" in value))


def _push_inputs(project: Project, plan: Plan, stages: Collection[str]) -> None:
    """Push what this project already has of the inputs of `stages`."""
    known = {out["path"] for entry in read_lock().values() for out in entry.get("outs", [])}
    replaced = {str(out) for name in plan.changed if name in stages for out in project.stages[name].outs}
    _transfer("push", sorted({path for name in stages for path in project.inputs(name)} & known - replaced))


def _transfer(command: str, targets: Collection[str], *options: str) -> None:
    if targets and (problem := transfer(command, *options, *targets)):
        raise InputError(f"{problem.strip()}; run the same command again, and it goes on from there")
