"""Run DVC's stages side by side; DVC itself runs one at a time (dvc issue 755)."""

import math
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter

from tqdm import tqdm

from pipeline.common.errors import InputError
from pipeline.orchestration.plan import Graph
from pipeline.orchestration.stage import StageResult
from pipeline.runtime.timings import read_timing


def run(
    graph: Graph, jobs: int, work: Callable[[str], StageResult], stop: Callable[[], None] = lambda: None
) -> list[str]:
    """Run all stages of `graph`, at most `jobs` at once, by calls of `work`; return the stages that failed.

    Of the stages that can start, the one that took longest last time starts first. After a failure no other stage
    starts, and the running ones are waited for. If this function is interrupted, it calls `stop`, which ends them.
    """
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    ready = [*sorter.get_ready()]
    running: dict[Future[StageResult], str] = {}
    failed: list[str] = []
    with ThreadPoolExecutor(jobs) as workers, tqdm(total=len(graph), unit="stage", disable=None) as bar:
        try:
            while running or (ready and not failed):
                while ready and len(running) < jobs and not failed:
                    stage = max(ready, key=last_seconds)
                    ready.remove(stage)
                    running[workers.submit(work, stage)] = stage
                bar.set_postfix_str(", ".join(running.values()))
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    stage, result = running.pop(future), future.result()
                    bar.write(result.output, end="")
                    bar.update()
                    if result.status:
                        failed.append(stage)
                    else:
                        sorter.done(stage)
                ready += sorter.get_ready()
        except BaseException:
            stop()
            raise
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
