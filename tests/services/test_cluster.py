"""Stages on three Ray nodes with an S3 server between them, on the whole pipeline with tiny settings."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
from ruamel.yaml import YAML

from tests.end_to_end.workspace import Workspace, stages_run
from tests.services.ray_nodes import Cluster, cluster
from tests.services.remotes import Remote

__all__ = ["cluster"]
pytestmark = pytest.mark.services
TRAINED = "cnn_ctc_variable"
"""Takes longest."""
STAGE_SECONDS = 300
Found = TypeVar("Found")


@pytest.fixture
def project(settings: Workspace, s3: Remote, tmp_path: Path) -> Workspace:
    """A copy in which nothing has run, with a remote of its own."""
    workspace = Workspace(shutil.copytree(settings.root, tmp_path / "project"), settings.environment)
    s3.add_to(workspace.dvc, tmp_path.name)
    workspace.save("A remote")
    return workspace


def start(project: Workspace, cluster: Cluster, *options: str) -> "subprocess.Popen[str]":
    """Start `repro --cluster` as a terminal would, in a group of processes of its own."""
    command = [sys.executable, "-m", "pipeline", "repro", "--cluster", cluster.address, *options]
    return subprocess.Popen(
        command,
        cwd=project.root,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finished(process: "subprocess.Popen[str]", status: int = 0) -> str:
    output, _ = process.communicate(timeout=STAGE_SECONDS)
    assert process.returncode == status, output
    return output


def wait_for(look: Callable[[], Found], process: "subprocess.Popen[str]") -> Found:
    """Look again and again until there is something, while the process runs."""
    deadline = time.monotonic() + STAGE_SECONDS
    while time.monotonic() < deadline:
        if found := look():
            return found
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.2)
    raise TimeoutError("there is nothing")


def lock(project: Workspace) -> dict[str, Any]:
    """`dvc.lock` without what differs from run to run: times, and what is made of them."""
    stages = YAML(typ="safe").load(project.root / "dvc.lock")["stages"]
    for stage in stages.values():
        for kind in ("deps", "outs"):
            paths = [entry for entry in stage.get(kind, []) if "timings" not in entry["path"]]
            stage[kind] = sorted(paths, key=lambda entry: str(entry["path"]))
    del stages["compare"]["outs"], stages["compare_decodings"]["outs"]
    return dict(stages)


def test_three_machines_do_what_one_does_and_one_may_die(
    project: Workspace, trained: Workspace, cluster: Cluster, s3: Remote, tmp_path: Path
) -> None:
    process = start(project, cluster)
    wait_for(lambda: [path for path in s3.files(tmp_path.name) if f"train@{TRAINED}" in path.name], process)
    ((node, _),) = cluster.stages("train", TRAINED)
    if node is cluster.nodes[0]:  # the head, which Ray cannot do without
        pytest.skip("the training runs on the head node")
    node.kill()
    output = finished(process)
    assert f"train@{TRAINED}: its process or machine died" in output
    assert lock(project) == lock(trained)
    log = (project.root / f".dvc/tmp/cluster/train@{TRAINED}.log").read_text()
    assert "epoch 1 " not in log
    assert stages_run(project.dvc("repro")) == []
    assert not [path for path in s3.files(tmp_path.name) if path.suffix == ".tar"]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_children_end_with_a_killed_worker_and_with_ctrl_c(project: Workspace, cluster: Cluster) -> None:
    process = start(project, cluster, f"train@{TRAINED}")
    node, training = wait_for(lambda: cluster.stages("train", TRAINED), process)[0]
    (child,) = node.processes("pipeline.orchestration.cluster.child")
    psutil.Process(child.ppid()).kill()
    assert psutil.wait_procs([child, training], timeout=30)[1] == []
    node, training = wait_for(lambda: cluster.stages("train", TRAINED), process)[0]
    processes = [training, *node.processes("pipeline.orchestration.cluster.child")]
    process.send_signal(signal.SIGINT)
    assert "interrupted" in finished(process, status=130)
    assert psutil.wait_procs(processes, timeout=30)[1] == []
    assert not cluster.stages()


def test_the_queue_runs_on_the_cluster(project: Workspace, cluster: Cluster) -> None:
    change = "emnist.glyphs.test_per_class"
    project.dvc("exp", "run", "--quiet", "--queue", "--name", "more", "-S", f"{change}=3")
    output = finished(start(project, cluster, "--queue"))
    assert "more: done" in output
    assert "more" in project.shown()
    assert "No experiment tasks in the queue" in project.dvc("queue", "status")
    project.dvc("exp", "apply", "more")
    assert stages_run(project.dvc("repro")) == []
