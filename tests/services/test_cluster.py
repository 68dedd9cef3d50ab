"""Stages on three Ray nodes with an S3 server between them, on the whole pipeline with tiny settings."""

import re
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
import torch
from ruamel.yaml import YAML

from pipeline.models.checkpoint import load_checkpoint
from tests.end_to_end.workspace import Workspace, stages_run
from tests.services.conftest import EPOCHS
from tests.services.ray_nodes import Cluster, cluster
from tests.services.remotes import Remote
from tests.terminal import listen_to_ctrl_c

__all__ = ["cluster"]
pytestmark = pytest.mark.services
TRAINED = "cnn_ctc_variable"
"""Takes longest."""
WAIT_SECONDS = 900
Found = TypeVar("Found")


def copy_with_remote(workspace: Workspace, remote: Remote, folder: Path) -> Workspace:
    copy = Workspace(shutil.copytree(workspace.root, folder / "project"), workspace.environment)
    remote.add_to(copy.dvc, folder.name)
    copy.save("A remote")
    return copy


@pytest.fixture
def project(settings: Workspace, s3: Remote, tmp_path: Path) -> Workspace:
    """A copy in which nothing has run, with a remote of its own."""
    return copy_with_remote(settings, s3, tmp_path)


def start(project: Workspace, cluster: Cluster, *options: str) -> "subprocess.Popen[str]":
    """Start `repro --cluster` as a terminal would, in a group of processes of its own."""
    command = [sys.executable, "-m", "pipeline", "repro", "--cluster", cluster.address, *options]
    process = subprocess.Popen(
        command,
        cwd=project.root,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=listen_to_ctrl_c,
    )
    cluster.drivers.append(process)
    return process


def finished(process: "subprocess.Popen[str]", status: int = 0) -> str:
    output, _ = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == status, output
    return output


def wait_for(look: Callable[[], Found], process: "subprocess.Popen[str]") -> Found:
    """Look again and again until there is something, while the process runs."""
    deadline = time.monotonic() + WAIT_SECONDS
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
    node.kill()
    output = finished(process)
    assert f"train@{TRAINED}: its process or machine died" in output
    assert lock(project) == lock(trained)
    log = (project.root / f".dvc/tmp/cluster/train@{TRAINED}.log").read_text()
    assert "epoch 1 of" not in log
    assert f"epoch {EPOCHS} of {EPOCHS}" in log
    assert stages_run(project.dvc("repro")) == []
    assert not [path for path in s3.files(tmp_path.name) if path.suffix == ".tar"]


def train_in_two_processes(project: Workspace, **trainer: int) -> None:
    """Set the project's trainings to two processes, on two machines or on one."""
    params = YAML().load(project.root / "params.yaml")
    params["training"]["trainer"] |= {"strategy": "ddp", "precision": "32-true", **trainer}
    params["experiments"][TRAINED]["training"] = {"max_epochs": 2, "batch_size": 10}
    YAML().dump(params, project.root / "params.yaml")
    project.save("Two processes")


def weights(project: Workspace) -> dict[str, torch.Tensor]:
    (checkpoint,) = (project.root / "models" / TRAINED).iterdir()
    return load_checkpoint(checkpoint)[1].model.state_dict()


def test_two_machines_train_the_weights_of_one_with_as_many_devices(
    settings: Workspace, s3: Remote, cluster: Cluster, tmp_path: Path
) -> None:
    project = copy_with_remote(settings, s3, tmp_path)
    train_in_two_processes(project, num_nodes=2)
    output = finished(start(project, cluster, f"train@{TRAINED}"))
    assert f"train@{TRAINED}: " in output
    assert stages_run(project.dvc("repro", f"train@{TRAINED}")) == []

    alone = copy_with_remote(settings, s3, tmp_path / "alone")
    train_in_two_processes(alone, devices=2)
    alone.dvc("repro", f"train@{TRAINED}")
    of_machines, of_devices = weights(project), weights(alone)
    assert of_machines.keys() == of_devices.keys()
    assert all(torch.equal(of_machines[name], of_devices[name]) for name in of_machines)


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


def test_the_queue_runs_on_the_cluster(trained: Workspace, s3: Remote, cluster: Cluster, tmp_path: Path) -> None:
    project = copy_with_remote(trained, s3, tmp_path)
    change = "experiments.simple_ce_aligned.model.conv_dim=5"
    project.dvc("exp", "run", "--quiet", "--queue", "--name", "more", "-S", change)
    output = finished(start(project, cluster, "--queue"))
    assert "more: done" in output
    assert "No experiment tasks in the queue" in project.dvc("queue", "status")
    log = (project.root / ".dvc/tmp/cluster/more.log").read_text()
    assert re.findall("^(.*): .* s on ", log, re.MULTILINE) == [
        f"{stage}@simple_ce_aligned" for stage in ("train", "evaluate")
    ]
    assert project.git("status", "--porcelain") == ""
    project.dvc("exp", "apply", "more")
    assert "conv_dim: 5" in (project.root / "params.yaml").read_text()
    assert stages_run(project.dvc("repro")) == []
