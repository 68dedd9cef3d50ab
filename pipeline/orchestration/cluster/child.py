"""The process that runs one stage in a workspace, and ends with all its children when its parent ends.

Ray leaves the children of a killed worker alive (ray issue 42861). So this process reads from its parent: the request
first, then nothing more until the parent closes the pipe or dies.
"""

import json
import os
import sys
import threading
from contextlib import suppress
from dataclasses import asdict

import psutil

from pipeline.orchestration.cluster.progress import kept_in_remote
from pipeline.orchestration.stage import NodeOfTraining, StageTask, run_stage
from pipeline.runtime.processes import terminate_children

PATIENCE = 10.0
"""Seconds that a stage has to end by itself."""


def main() -> None:
    """Read the request, run the stage, write the result."""
    request = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    node = NodeOfTraining(**request["node"]) if request.get("node") else None
    task = StageTask(**request["task"], node=node)
    with kept_in_remote(request["progress"]) as finished:
        result = run_stage(task)
        if not result.status and not (node and node.rank):
            finished()
    print(json.dumps(asdict(result)))


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    children = terminate_children(psutil.Process())
    for child in psutil.wait_procs(children, timeout=PATIENCE)[1]:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    os._exit(1)


if __name__ == "__main__":
    main()
