"""Fair timing: each implementation runs in a process of its own, and they take turns.

So an implementation's allocator and thread pools cannot affect another one, and noise of the machine affects all.
"""

import importlib
import importlib.util
import multiprocessing
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.inputs import EXPERIMENTS, Inputs
from benchmarks.memory import peak_memory
from pipeline.common.progress import progress_bar

SHORTEST_ROUND = 0.5
"""Seconds. Shorter work is repeated in a round, because the first run after another implementation's turn is slow."""


@dataclass(frozen=True)
class Timing:
    """Rates in units per second: `rate` over all rounds, `slowest` and `fastest` of single rounds."""

    rate: float
    slowest: float
    fastest: float
    memory: int
    """Peak memory of the process in bytes."""


def load(implementation: str) -> ModuleType:
    """Import `ours`, `baseline`, or a Python file with the same functions, given by its path."""
    if not implementation.endswith(".py"):
        return importlib.import_module(f"benchmarks.{implementation}")
    spec = importlib.util.spec_from_file_location("peer", Path(implementation))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prepare(implementation: str, what: str, device: str) -> Callable[[int], int]:
    """Return the work called `what`: a function that runs one round and returns its number of units."""
    module = load(implementation)
    if what in EXPERIMENTS:
        return module.train(Inputs(device=device), EXPERIMENTS[what])
    return getattr(module, what.replace(" ", "_"))(Inputs(device=device))


def compare(
    what: str,
    implementations: Mapping[str, str],
    warmups: Mapping[str, int],
    rounds: int,
    device: str = "cpu",
    shortest_round: float = SHORTEST_ROUND,
) -> dict[str, Timing]:
    """Time `what` on `device` in each implementation: first the warm-up rounds of each, then all in turns."""
    context = multiprocessing.get_context("spawn")
    workers: dict[str, tuple[Any, Connection]] = {}
    try:
        for name, implementation in implementations.items():
            here, there = context.Pipe()
            arguments = (implementation, what, device, shortest_round, there)
            process = context.Process(target=_work, args=arguments, daemon=True)
            process.start()
            there.close()  # so that recv() ends if the worker dies
            workers[name] = process, here
            here.recv()
            for number in range(warmups[name]):
                _round(here, number)
        measured: dict[str, list[tuple[int, float]]] = {name: [] for name in workers}
        for number in progress_bar(range(rounds), desc=what, unit="round"):
            for name, (_, connection) in workers.items():
                measured[name].append(_round(connection, warmups[name] + number))
        return {name: _timing(measured[name], _end(connection)) for name, (_, connection) in workers.items()}
    finally:
        for process, connection in workers.values():
            connection.close()  # if one worker failed, this ends the others
            process.join()


def _work(implementation: str, what: str, device: str, shortest_round: float, connection: Connection) -> None:
    run = prepare(implementation, what, device)
    connection.send("ready")
    while (number := _next(connection)) is not None:
        start, done = time.perf_counter(), run(number)
        while (seconds := time.perf_counter() - start) < shortest_round:
            done += run(number)
        connection.send((done, seconds))
    connection.send(peak_memory())


def _next(connection: Connection) -> int | None:
    try:
        number: int | None = connection.recv()
    except EOFError:
        sys.exit()  # another implementation has failed
    return number


def _end(connection: Connection) -> int:
    connection.send(None)
    memory: int = connection.recv()
    return memory


def _round(connection: Connection, number: int) -> tuple[int, float]:
    connection.send(number)
    done, seconds = connection.recv()
    return done, seconds


def _timing(rounds: Sequence[tuple[int, float]], memory: int) -> Timing:
    rates = [done / seconds for done, seconds in rounds]
    return Timing(sum(done for done, _ in rounds) / sum(s for _, s in rounds), min(rates), max(rates), memory)
