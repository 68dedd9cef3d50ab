"""One training on two nodes: two processes with project folders and addresses of their own, started by torchrun."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pipeline.models.checkpoint import load_checkpoint
from pipeline.tracking.store import open_store
from tests.imports import ROOT
from tests.projects import Project
from tests.services.postgres import unused_port
from tests.stages.conftest import project, store_uri, tracked

__all__ = ["project", "store_uri", "tracked"]
pytestmark = pytest.mark.services
KEY = "cnn_ctc_variable"
WEIGHTS = Path(f"models/{KEY}/seed_42.ckpt")
TRAINER = {"accelerator": "cpu", "precision": "32-true", "strategy": "ddp"}
WAIT = 300


@pytest.fixture
def lines(tracked: Project) -> Project:
    """A project with the lines of an experiment."""
    tracked.change(training={"seeds": [42], "max_epochs": 2, "batch_size": 10, "trainer": TRAINER})
    for stage in (("check",), ("download",), ("corpus",), ("synthesize", "variable")):
        tracked.run(*stage)
    tracked.monkeypatch.setenv("PYTHONPATH", str(ROOT))
    tracked.monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    return tracked


def start_nodes(*folders: Path) -> list[subprocess.CompletedProcess[str]]:
    """Train on as many nodes, of which the first one is the main one."""
    port = unused_port()
    torchrun = [sys.executable, "-m", "torch.distributed.run", f"--nnodes={len(folders)}", "--nproc-per-node=1"]
    torchrun += ["--master-addr=127.0.0.1", f"--master-port={port}"]
    nodes = [
        subprocess.Popen(
            [*torchrun, f"--node-rank={rank}", f"--local-addr=127.0.0.{1 + rank}", "-m", "stages", "train", KEY],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank, folder in enumerate(folders)
    ]
    try:
        return [
            subprocess.CompletedProcess(node.args, node.wait(), output)
            for node in nodes
            for output in [node.communicate(timeout=WAIT)[0]]
        ]
    finally:
        for node in nodes:
            node.kill()


def test_two_nodes_train_the_weights_of_one_with_as_many_devices(lines: Project) -> None:
    lines.change(training={"trainer": {"num_nodes": 2}})
    second = Path(shutil.copytree(lines.root, lines.root.parent / "second"))
    nodes = start_nodes(lines.root, second)
    assert [node.returncode for node in nodes] == [0, 0], [node.stdout for node in nodes]
    assert "best of 2 epochs" in nodes[0].stdout
    assert not (second / "models").exists()  # the main process alone writes results and tracks the run
    of_nodes = load_checkpoint(WEIGHTS)[1].model.state_dict()
    store = open_store()
    (run,) = store.client.search_runs([store.experiment_id])
    assert (run.info.status, run.data.params["training.trainer.num_nodes"]) == ("FINISHED", "2")

    lines.change(training={"trainer": {"num_nodes": 1, "devices": 2}})
    subprocess.run([sys.executable, "-m", "stages", "train", KEY], check=True, capture_output=True)
    of_devices = load_checkpoint(WEIGHTS)[1].model.state_dict()
    assert of_nodes.keys() == of_devices.keys()
    assert all(torch.equal(of_nodes[name], of_devices[name]) for name in of_nodes)
