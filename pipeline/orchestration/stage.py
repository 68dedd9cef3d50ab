"""Run one stage of DVC: in the project itself, or in a workspace on another machine.

In a workspace, a stage takes four steps: pull its inputs from the DVC remote, `dvc repro --single-item`, push its
outputs, and return its entry of `dvc.lock`. In the project itself, only the second step is needed. torchrun runs a
training on several machines instead, and DVC is told of its outputs.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.settings.experiment import read_experiment

DVC = (sys.executable, "-m", "pipeline.orchestration.dvc_repair", "--wait-for-lock")
LOCK_FILE = Path("dvc.lock")
CAPTURED: dict[str, Any] = {
    "stdin": subprocess.DEVNULL,
    "stdout": subprocess.PIPE,
    "stderr": subprocess.STDOUT,
    "encoding": "utf-8",
}
TRANSFER_SECONDS = 7200
"""A transfer that takes longer is ended: some S3 servers let one hang (dvc issue 10374)."""


@dataclass(frozen=True)
class NodeOfTraining:
    """The part of one machine in a training on several."""

    rank: int
    """0 for the machine that writes the results."""
    nodes: int
    host: str
    """The address of the machine of rank 0, and a port of it."""
    port: int


@dataclass(frozen=True)
class StageTask:
    """What there is to do."""

    stage: str
    threads: int
    """The processes of the stage share them."""
    inputs: Sequence[str] | None = None
    """Outputs of other stages to pull; None in the project itself, where nothing is moved."""
    node: NodeOfTraining | None = None
    """None for a stage on one machine."""


@dataclass(frozen=True)
class StageResult:
    """What came of it."""

    stage: str
    status: int
    """DVC's exit status: 0 if the stage succeeded or had nothing to do."""
    output: str = ""
    """What it printed, unless that was told at once."""
    lock: dict[str, Any] = field(default_factory=dict)
    """The stage's entry of `dvc.lock`, if its outputs were pushed."""
    host: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each step took."""


def run_stage(task: StageTask, tell: Callable[[str], None] | None = None) -> StageResult:
    """Run a stage of the project in the current folder, if it has changed.

    `tell` gets each line as soon as a stage that moves no files prints it.
    """
    if task.inputs is None:
        return reproduce(task.stage, task.threads, tell=tell)
    times = [time.monotonic()]
    problem = transfer("pull", "--force", *task.inputs) if task.inputs else ""
    times.append(time.monotonic())
    if problem:
        return StageResult(task.stage, 1, problem)
    if task.node:
        result = train_together(task.stage, task.threads, task.node)
    else:
        # A stage whose inputs turn out unchanged does not run. Its outputs are not here, and need not be.
        result = reproduce(task.stage, task.threads, "--allow-missing")
    times.append(time.monotonic())
    if result.status or (task.node and task.node.rank):
        return result
    problem = transfer("push", task.stage)
    times.append(time.monotonic())
    entry = YAML(typ="safe").load(LOCK_FILE)["stages"][task.stage]
    seconds = {step: times[i + 1] - times[i] for i, step in enumerate(("pull", "run", "push"))}
    return replace(result, status=int(bool(problem)), output=result.output + problem, lock=entry, seconds=seconds)


def reproduce(stage: str, threads: int, *options: str, tell: Callable[[str], None] | None = None) -> StageResult:
    """Run one stage if it has changed; keep its output as text, without progress bars, or `tell` it line by line.

    More threads than cores would slow down all stages that run.
    """
    environment, target = _environment(stage, threads), ("--single-item", stage)
    lines: list[str] = []
    hear = tell or lines.append
    silent = True
    with subprocess.Popen([*DVC, "repro", "--quiet", *options, *target], env=environment, **CAPTURED) as process:
        assert process.stdout
        for line in process.stdout:
            hear(line)
            silent = False
    if process.returncode and silent:
        # With --quiet, DVC does not say why it cannot start a stage. A dry run says so, and runs nothing.
        hear(_run("repro", "--dry", *options, *target).stdout)
    return StageResult(stage, process.returncode, "".join(lines))


def train_together(stage: str, threads: int, node: NodeOfTraining) -> StageResult:
    """Run a training with torchrun on this machine; on that of rank 0, tell DVC of its outputs."""
    command = [sys.executable, "-m", "torch.distributed.run", f"--nnodes={node.nodes}", f"--node-rank={node.rank}"]
    command += [f"--nproc-per-node={count_processes(stage)}", f"--master-addr={node.host}"]
    command += [f"--master-port={node.port}", "-m", "stages", *stage.split("@")]
    process = subprocess.run(command, env=_environment(stage, threads), check=False, **CAPTURED)
    output = process.stdout
    if not process.returncode and node.rank == 0:
        process = _run("commit", "--quiet", "--force", stage)
        output += process.stdout
    return StageResult(stage, process.returncode, output)


def count_nodes(stage: str) -> int:
    """How many machines a stage takes together: `training.trainer.num_nodes`, if it is a training."""
    name, _, key = stage.partition("@")
    return read_experiment(key)[1].trainer.num_nodes if name == "train" else 1


def count_processes(stage: str) -> int:
    """How many processes of a stage compute at the same time on a machine: a training has one for each device."""
    name, _, key = stage.partition("@")
    if name != "train":
        return 1
    devices = read_experiment(key)[1].trainer.devices
    if isinstance(devices, list):
        return len(devices)
    return max(1, devices) if isinstance(devices, int) else 1


def _environment(stage: str, threads: int) -> dict[str, str]:
    return {"OMP_NUM_THREADS": str(max(1, threads // count_processes(stage))), **os.environ}


def transfer(command: str, *arguments: str) -> str:
    """Run `dvc pull` or `dvc push`; return its output if it failed, else an empty string."""
    try:
        process = _run(command, *arguments, timeout=TRANSFER_SECONDS)
    except subprocess.TimeoutExpired:
        return f"dvc {command}: not done after {TRANSFER_SECONDS // 60} minutes; look whether the DVC remote answers\n"
    return f"{process.stdout}dvc {command} failed\n" if process.returncode else ""


def _run(*arguments: str, timeout: int | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*DVC, *arguments], check=False, timeout=timeout, **CAPTURED)
