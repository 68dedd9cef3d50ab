"""Ray nodes on this machine: each has its own processes and its own folder of workspaces, as a machine would."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from pipeline.orchestration.cluster.node import FOLDER
from tests.services.postgres import unused_port

RAY = Path(sys.executable).parent / "ray"
START_SECONDS = 120
PATIENT = {"RAY_raylet_start_wait_time_s": "120", "RAY_health_check_timeout_ms": "60000"}
"""For machines that do much else. A node that dies is noticed at once all the same."""
OPTIONS = "--block --disable-usage-stats --object-store-memory=80000000 --node-ip-address=127.0.0.1"


@dataclass
class Node:
    """The processes of one `ray start`, and the folder of its workspaces."""

    folder: Path
    process: "subprocess.Popen[bytes]"

    def processes(self, *words: str) -> list[psutil.Process]:
        """Its processes with all the words in their command lines."""
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if set(words) <= set(process.cmdline()):
                    found.append(process)
        return found

    def kill(self) -> None:
        """End all at once and without notice, as a power cut does."""
        processes = [psutil.Process(self.process.pid), *self.processes()]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGSTOP)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()


@dataclass
class Cluster:
    """The nodes, of which the first one is the head. It runs no stages: Ray cannot do without it."""

    address: str
    nodes: list[Node] = field(default_factory=list)
    drivers: "list[subprocess.Popen[str]]" = field(default_factory=list)
    """What a test has started in groups of processes of their own; they end with the test."""

    def stages(self, *words: str) -> list[tuple[Node, psutil.Process]]:
        """Stages that run now on the living nodes, with all the words in their command lines."""
        living = [node for node in self.nodes if node.process.poll() is None]
        return [(node, process) for node in living for process in node.processes("stages", *words)]


def start_node(folder: Path, *options: str) -> Node:
    folder.mkdir()
    environment = {**os.environ, **PATIENT, FOLDER: str(folder)}
    with (folder / "log").open("w") as log:
        command = [RAY, "start", *OPTIONS.split(), *options]
        return Node(folder, subprocess.Popen(command, env=environment, stdout=log, stderr=log))


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A head and three nodes with one core each. Without the extra, the test is skipped."""
    pytest.importorskip("ray", reason="Ray is missing: pip install -e '.[cluster]'")
    folder = Path(tempfile.mkdtemp(prefix="ray-"))  # sockets lie in it: their paths must be short
    cluster = Cluster(f"127.0.0.1:{unused_port()}")
    try:
        port = cluster.address.partition(":")[2]
        head = (f"--port={port}", "--head", "--num-cpus=0", "--include-dashboard=false", f"--temp-dir={folder}/ray")
        cluster.nodes.append(start_node(folder / "0", *head))
        _wait_for(cluster.nodes[0])
        for number in (1, 2, 3):
            cluster.nodes.append(start_node(folder / str(number), f"--address={cluster.address}", "--num-cpus=1"))
            _wait_for(cluster.nodes[-1])
        yield cluster
    finally:
        for driver in cluster.drivers:
            if driver.poll() is None:
                os.killpg(driver.pid, signal.SIGKILL)
                driver.communicate()
        for node in cluster.nodes:
            if node.process.poll() is None:
                node.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(node: Node) -> None:
    deadline = time.monotonic() + START_SECONDS
    while "Ray runtime started" not in (log := (node.folder / "log").read_text()):
        assert node.process.poll() is None, log
        assert time.monotonic() < deadline, log
        time.sleep(0.2)
