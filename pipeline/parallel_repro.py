"""`dvc repro` with stages side by side: DVC runs one at a time, also where none needs another (dvc issue 755).

    python -m pipeline.parallel_repro --jobs 2

Each stage runs by `dvc repro --single-item` as soon as those that it depends on are done, with its share of the
processor cores: two trainings with a core each are done sooner than one after the other with both. In the end
`dvc repro` itself has a look: it finds nothing to do, or does it.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter

from tqdm import tqdm

from pipeline.cores import count_cores
from pipeline.errors import InputError, exit_on_input_error
from pipeline.schedule import Order, schedule
from pipeline.settings.experiment import read_experiment
from pipeline.termination import take_children_along

DVC = (sys.executable, "-m", "pipeline.dvc_command", "--wait-for-lock", "repro")
Process = subprocess.CompletedProcess[str]


def stages_to_run(targets: Sequence[str] = ()) -> Order:
    """The stages that have changed and all that depend on them, of those that `targets` need, by default of all.

    Raises:
        InputError: DVC cannot read the project, or knows no such stage.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from networkx import DiGraph, ancestors, descendants

    try:
        with Repo() as repo:
            graph: DiGraph = repo.index.graph  # from each stage to those that it depends on
            every: Sequence[str | None] = targets or [None]
            named = {stage for target in every for stage in repo.stage.collect(target)}
            changed = repo.status(list(targets) or None, with_deps=True)
    except DvcException as error:
        raise InputError(f"dvc: {error}") from None
    needed = named.union(*(descendants(graph, stage) for stage in named))
    first = {stage for stage in needed if stage.addressing in changed}
    due = first.union(*(ancestors(graph, stage) for stage in first)) & needed
    return {
        stage.addressing: {one.addressing for one in graph.successors(stage) if one in due}
        for stage in graph
        if stage in due
    }


def run(order: Order, jobs: int, threads: int) -> list[str]:
    """Run all stages, at most `jobs` at once with `threads` threads each; those that failed.

    They begin in the order of `schedule`. After a failure those that run are waited for, and no other begins.
    """
    sorter, ranked = TopologicalSorter(order), schedule(order, jobs)
    sorter.prepare()
    waiting = [*sorter.get_ready()]
    running: dict[Future[Process], str] = {}
    failed: list[str] = []
    with ThreadPoolExecutor(jobs) as workers, tqdm(total=len(order), unit="stage", disable=None) as bar:
        while running or (waiting and not failed):
            while waiting and len(running) < jobs and not failed:
                stage = min(waiting, key=ranked.index)
                waiting.remove(stage)
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
            waiting += sorter.get_ready()
    return failed


def processes_of(stage: str) -> int:
    """How many processes a stage has that compute at the same time: a training has one for each of its devices."""
    name, _, key = stage.partition("@")
    if name != "train":
        return 1
    devices = read_experiment(key)[1].trainer.devices
    if isinstance(devices, list):
        return len(devices)
    return max(1, devices) if isinstance(devices, int) else 1


def reproduce(stage: str, threads: int) -> Process:
    """Run one stage if it has changed; what it prints is kept as text, bars are left out.

    Its processes share the threads: with more of them than cores, each would wait for the others at every step.
    """
    process = _repro(stage, threads, "--quiet")
    if process.returncode and not process.stdout:
        # Quiet, DVC does not even say why it cannot begin; asked what it would do, it says so, and runs nothing.
        process.stdout = _repro(stage, threads, "--dry").stdout
    return process


def _repro(stage: str, threads: int, option: str) -> Process:
    return subprocess.run(
        [*DVC, option, "--single-item", stage],
        env={"OMP_NUM_THREADS": str(max(1, threads // processes_of(stage))), **os.environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )


def main() -> None:
    """Parse the command line, run all stages and then `dvc repro`."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.parallel_repro", description=__doc__.split("\n")[0])
    parser.add_argument("targets", nargs="*", help="stages, as `dvc repro` takes them; all by default")
    parser.add_argument("--jobs", type=int, default=count_cores(), help="stages at once; by default one per core")
    arguments = parser.parse_args()
    if arguments.jobs < 1:
        parser.error(f"--jobs: {arguments.jobs}: at least 1")
    take_children_along()
    order = stages_to_run(arguments.targets)
    threads, start = max(1, count_cores() // arguments.jobs), time.monotonic()
    if order:
        print(f"parallel_repro: {len(order)} stages, up to {arguments.jobs} at once with {threads} threads each")
    if failed := run(order, arguments.jobs, threads):
        raise InputError(f"{', '.join(failed)}: failed, see above; `dvc repro {failed[0]}` runs it again")
    if order:
        print(f"parallel_repro: {len(order)} stages done in {(time.monotonic() - start) / 60:.1f} minutes")
    sys.exit(subprocess.run([*DVC, "--quiet", *arguments.targets], check=False).returncode)


if __name__ == "__main__":
    exit_on_input_error(main)
