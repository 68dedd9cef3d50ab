"""In which order stages begin that run side by side: list scheduling by the critical path, improved by exchanges.

Of the stages that can begin, the first of a list does. The list begins as the critical path has it (Kelley, 1961):
longest way to the end first. On two processors such lists may end a sixth later than they could (Graham, 1969), with
one of them idle at the end, so pairs of trainings change places while that brings the end forward.
"""

from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from heapq import heappop, heappush
from itertools import combinations, islice

from pipeline.errors import InputError
from pipeline.settings.base import read_section
from pipeline.settings.experiment import read_experiment
from pipeline.settings.lines import LinesSettings
from pipeline.timings import read_timing

Order = Mapping[str, set[str]]
"""Of each stage that is to run: those among them that must run before it."""
Seconds = Mapping[str, float]
TIME_OF_A_LINE = {"line_cnn_simple": 1.2, "line_cnn_lstm": 1.2, "line_resnet_lstm": 2.0, "line_resnet_lookalikes": 5.0}
"""Roughly how long models train on a line on a processor core, LineCNN with CTC and those not named here taking 1."""
AT_RANDOM = 1.3
"""How much longer it takes with cross-entropy, whose batches are not of lines of like width."""
TRIED = 500
"""Lists that are tried at most, which takes a second for a hundred trainings."""


def schedule(order: Order, jobs: int) -> list[str]:
    """All stages, in the order of preference: of those that can begin, the first of this list does."""
    seconds = expected_seconds(order)
    ways = ways_to_the_end(order, seconds)
    ranked = sorted(order, key=ways.__getitem__, reverse=True)
    return improved(ranked, order, seconds, jobs) if jobs > 1 else ranked


def improved(ranked: Sequence[str], order: Order, seconds: Seconds, jobs: int) -> list[str]:
    """A list that ends no later, pairs of what takes time having changed places while it ends earlier."""
    best = list(ranked)
    end = end_of(best, order, seconds, jobs)
    places = [place for place, stage in enumerate(best) if seconds[stage]]
    left, before = TRIED, float("inf")
    while end < before and left:
        before = end
        for one, other in islice(combinations(places, 2), left):
            left -= 1
            candidate = best.copy()
            candidate[one], candidate[other] = best[other], best[one]
            if (earlier := end_of(candidate, order, seconds, jobs)) < end:
                best, end = candidate, earlier
    return best


def end_of(ranked: Sequence[str], order: Order, seconds: Seconds, jobs: int) -> float:
    """Seconds until all stages have run, at most `jobs` at once, the first of the list that can begin first."""
    rank = {stage: place for place, stage in enumerate(ranked)}
    sorter = TopologicalSorter(order)
    sorter.prepare()
    waiting: list[tuple[int, str]] = []
    running: list[tuple[float, str]] = []
    now = 0.0
    while sorter:
        for stage in sorter.get_ready():
            heappush(waiting, (rank[stage], stage))
        while waiting and len(running) < jobs:
            _, stage = heappop(waiting)
            heappush(running, (now + seconds[stage], stage))
        now, ended = heappop(running)
        sorter.done(ended)
    return now


def ways_to_the_end(order: Order, seconds: Seconds) -> dict[str, float]:
    """Of each stage, the seconds of the longest chain of stages that begins with it."""
    ways = dict(seconds)
    for stage in reversed([*TopologicalSorter(order).static_order()]):
        for needed in order[stage]:
            ways[needed] = max(ways[needed], seconds[needed] + ways[stage])
    return ways


def expected_seconds(order: Order) -> dict[str, float]:
    """What trainings took the last time, and new ones will take at the rate of these; 0 for all other stages, as short.

    Where nothing has been trained, it is not in seconds, but tells one training from the other.
    """
    keys = {stage: stage.partition("@")[2] for stage in order if stage.startswith("train@")}
    known = {stage: taken for stage, key in keys.items() if (taken := _seconds_before(key)) is not None}
    work = {stage: work_of(key) for stage, key in keys.items()}
    of_known = sum(work[stage] for stage in known)
    rate = sum(taken for stage, taken in known.items() if work[stage]) / of_known if of_known else 1.0
    return {stage: known.get(stage, work.get(stage, 0.0) * rate) for stage in order}


def work_of(key: str) -> float:
    """Lines that all trainings of an experiment pass over, times what a line takes its model.

    0 where its settings are not valid, as its stage says.
    """
    try:
        experiment, training = read_experiment(key)
        endless = training.endless
        per_epoch = endless.lines_per_epoch if endless else read_section(LinesSettings, "lines", experiment.lines).train
    except InputError:
        return 0.0
    lines = len(training.seeds) * training.max_epochs * per_epoch
    return lines * TIME_OF_A_LINE.get(experiment.model.name, 1.0) * (AT_RANDOM if experiment.loss == "ce" else 1.0)


def _seconds_before(key: str) -> float | None:
    try:
        return sum(read_timing(key, "train").by_seed.values())
    except InputError:
        return None
