"""Run DVC's stages side by side; DVC itself runs one at a time (dvc issue 755)."""

import math
import os
import subprocess
import sys
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter

from tqdm import tqdm

from pipeline.common.errors import InputError
from pipeline.orchestration.plan import Graph
from pipeline.runtime.timings import read_timing
from pipeline.settings.experiment import read_experiment

DVC = (sys.executable, "-m", "pipeline.orchestration.dvc_repair", "--wait-for-lock", "repro")
Process = subprocess.CompletedProcess[str]


def run(graph: Graph, jobs: int, threads: int) -> list[str]:
    """Run all stages of `graph`, at most `jobs` at once with `threads` threads each; return the stages that failed.

    Of the stages that can start, the one that took longest last time starts first. After a failure no other stage
    starts, and the running ones are waited for.
    """
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    ready = [*sorter.get_ready()]
    running: dict[Future[Process], str] = {}
    failed: list[str] = []
    with ThreadPoolExecutor(jobs) as workers, tqdm(total=len(graph), unit="stage", disable=None) as bar:
        while running or (ready and not failed):
            while ready and len(running) < jobs and not failed:
                stage = max(ready, key=last_seconds)
                ready.remove(stage)
                running[workers.submit(reproduce, stage, threads)] = stage
            bar.set_postfix_str(", ".join(running.values()))
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                stage, process = running.pop(future), future.result()
                bar.write(process.stdout, end="")
                bar.update()
                if process.returncode:
                    failed.append(stage)
                else:
                    sorter.done(stage)
            ready += sorter.get_ready()
    return failed


def last_seconds(stage: str) -> float:
    """Seconds of a training the last time, or infinity for a new one; 0 for all other stages, which are short."""
    name, _, key = stage.partition("@")
    if name != "train":
        return 0.0
    try:
        return sum(read_timing(key, "train").by_seed.values())
    except InputError:
        return math.inf


def count_processes(stage: str) -> int:
    """How many processes of a stage compute at the same time: a training has one for each device."""
    name, _, key = stage.partition("@")
    if name != "train":
        return 1
    devices = read_experiment(key)[1].trainer.devices
    if isinstance(devices, list):
        return len(devices)
    return max(1, devices) if isinstance(devices, int) else 1


def reproduce(stage: str, threads: int) -> Process:
    """Run one stage if it has changed; keep its output as text, without progress bars.

    The processes of the stage share the threads. More threads than cores would slow down all of them.
    """
    process = _repro(stage, threads, "--quiet")
    if process.returncode and not process.stdout:
        # With --quiet, DVC does not say why it cannot start a stage. A dry run says so, and runs nothing.
        process.stdout = _repro(stage, threads, "--dry").stdout
    return process


def _repro(stage: str, threads: int, option: str) -> Process:
    return subprocess.run(
        [*DVC, option, "--single-item", stage],
        env={"OMP_NUM_THREADS": str(max(1, threads // count_processes(stage))), **os.environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
