"""Ray: run stages on any machine of a cluster."""

import logging
import os
import socket
from collections.abc import Iterable, Mapping
from typing import Any, Self

from pipeline.common.errors import InputError
from pipeline.orchestration.cluster.node import run_in_workspace
from pipeline.orchestration.stage import count_processes
from pipeline.settings.cluster import ClusterSettings

TRIES = 4
"""How often a stage starts whose machines die."""
CONNECT_SECONDS = 10
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
        """Name the stages that no machine has room for now: they wait for one to join."""
        machines = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        names = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
        wait = [
            stage
            for stage in stages
            if not any(all(m.get(names[k], 0) >= need for k, need in self._room(stage).items()) for m in machines)
        ]
        return f"no machine has what `cluster` of params.yaml says for {', '.join(wait)}: waiting" if wait else ""

    def run(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Call `run_in_workspace` on a machine with enough room; on another one if that machine dies."""
        from ray.exceptions import NodeDiedError, OutOfMemoryError, WorkerCrashedError

        stage = request["task"]["stage"]
        for attempt in range(1, TRIES + 1):
            if self._stopped:
                break
            call = self._work.options(name=stage, max_retries=0, **self._room(stage)).remote(request, self._code)
            self._running.add(call)
            try:
                return dict(self._ray.get(call))
            except (NodeDiedError, OutOfMemoryError, WorkerCrashedError) as error:
                reason = f"{stage}: its process or machine died ({type(error).__name__})"
                print(f"{reason}; it starts again" if attempt < TRIES else f"{reason} {TRIES} times", flush=True)
            except self._ray.exceptions.RayError as error:
                return {"stage": stage, "status": 1, "output": f"{stage}: {error}\n"}
            finally:
                self._running.discard(call)
        return {"stage": stage, "status": 1}

    def stop(self) -> None:
        """End all stages that run."""
        self._stopped = True
        for call in list(self._running):
            self._ray.cancel(call)

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
