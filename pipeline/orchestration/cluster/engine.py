"""Ray: run stages on any machine of a cluster."""

import logging
import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from pipeline.common.errors import InputError
from pipeline.orchestration.cluster.node import run_in_workspace
from pipeline.orchestration.stage import count_nodes, count_processes
from pipeline.settings.cluster import ClusterSettings

TRIES = 4
"""How often a stage starts whose machines die."""
CONNECT_SECONDS = 10
GRACE = 30
"""Seconds in which the other parts of a training end by themselves after one has failed."""
RESOURCES = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
"""Ray's names of what a task takes, and of what a machine has."""
COMPUTING = ("train", "evaluate", "decode")
"""The stages that use a GPU if there is one."""


class RayEngine:
    """A connection to a Ray cluster."""

    def __init__(self, address: str, settings: ClusterSettings, code: bytes) -> None:
        """Connect.

        Raises:
            InputError: Ray is not installed, or there is no cluster at the address.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
        try:
            import ray
        except ImportError:
            raise InputError("--cluster needs Ray; install the extra: `pip install -e '.[cluster]'`") from None
        _check_address(address)
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise InputError(f"--cluster {address}: {str(error).splitlines()[0]}; start one: `ray start`") from None
        self._ray, self._settings, self._running = ray, settings, set[Any]()
        self._code = ray.put(code)
        self._work = ray.remote(run_in_workspace)
        self._stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ray.shutdown()

    def threads(self, stage: str) -> int:
        """Threads of all processes of a stage."""
        return self._settings.cpus * count_processes(stage)

    def describe_shortage(self, stages: Iterable[str]) -> str:
        """Name the stages that no machine has room for now, or too few: they wait for one to join."""
        wait = [stage for stage in stages if self._count_fitting(stage) < count_nodes(stage)]
        return f"no machine has what `cluster` of params.yaml says for {', '.join(wait)}: waiting" if wait else ""

    def run(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Call `run_in_workspace` on a machine with enough room; on another one if that machine dies."""
        from ray.exceptions import NodeDiedError, OutOfMemoryError, WorkerCrashedError

        stage = request["task"]["stage"]
        for attempt in range(1, TRIES + 1):
            if self._stopped:
                break
            try:
                return self._start(stage, request)
            except (NodeDiedError, OutOfMemoryError, WorkerCrashedError) as error:
                reason = f"{stage}: its process or machine died ({type(error).__name__})"
                print(f"{reason}; it starts again" if attempt < TRIES else f"{reason} {TRIES} times", flush=True)
            except self._ray.exceptions.RayError as error:
                return {"stage": stage, "status": 1, "output": f"{stage}: {error}\n"}
        return {"stage": stage, "status": 1}

    def _start(self, stage: str, request: Mapping[str, Any]) -> dict[str, Any]:
        room, nodes = self._room(stage), count_nodes(stage)
        if nodes == 1:
            return self._wait([self._submit(request, name=stage, **room)])
        from pipeline.orchestration.cluster.several_nodes import Machines

        with Machines(self._ray, nodes, {RESOURCES[name]: need for name, need in room.items()}) as machines:
            while not machines.are_free(seconds=1):
                if self._stopped:
                    return {"stage": stage, "status": 1}
            host, port = machines.meeting_point()
            parts = [{"rank": rank, "nodes": nodes, "host": host, "port": port} for rank in range(nodes)]
            return self._wait(
                [
                    self._submit(
                        {**request, "node": part}, name=stage, scheduling_strategy=machines.place(rank), **room
                    )
                    for rank, part in enumerate(parts)
                ]
            )

    def _submit(self, request: Mapping[str, Any], **options: Any) -> Any:
        call = self._work.options(max_retries=0, **options).remote(request, self._code)
        self._running.add(call)
        return call

    def _wait(self, calls: Sequence[Any]) -> dict[str, Any]:
        """The result of the first call when all have succeeded, or the first one of a failure, which ends the others.

        Raises:
            RayError: a process or a machine died, which may be why another call failed.
        """
        results, pending = {}, list(calls)
        try:
            while pending:
                (done,), pending = self._ray.wait(pending)
                results[done] = dict(self._ray.get(done))
                if results[done]["status"]:
                    for other in self._ray.wait(pending, num_returns=len(pending), timeout=GRACE)[0] if pending else []:
                        self._ray.get(other)
                    return results[done]
            return results[calls[0]]
        finally:
            for call in pending:
                self._ray.cancel(call)
            self._running.difference_update(calls)

    def stop(self) -> None:
        """End all stages that run."""
        self._stopped = True
        for call in list(self._running):
            self._ray.cancel(call)

    def _count_fitting(self, stage: str) -> int:
        """How many machines have the room that a stage takes of each."""
        machines = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        room = self._room(stage)
        return sum(all(m.get(RESOURCES[name], 0) >= need for name, need in room.items()) for m in machines)

    def _room(self, stage: str) -> dict[str, float]:
        processes = count_processes(stage)
        gpus = self._settings.gpus if stage.partition("@")[0] in COMPUTING else 0
        room = {"num_cpus": self._settings.cpus * processes, "num_gpus": gpus * processes}
        return {**room, "memory": int(self._settings.memory * 2**30) * processes}


def _check_address(address: str) -> None:
    """Ray itself waits for minutes where nobody answers."""
    host, colon, port = address.rpartition(":")
    if colon and "/" not in host and port.isdecimal():
        try:
            socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
        except OSError as error:
            raise InputError(f"--cluster {address}: {error}; start a cluster there: `ray start --head`") from None
