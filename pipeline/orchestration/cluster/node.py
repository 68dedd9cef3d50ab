"""On a machine of the cluster: a workspace for one stage, and a process that runs the stage in it.

The workspaces of a machine share one DVC cache, so that an input is pulled to a machine once.
"""

import fcntl
import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.orchestration.cluster.archive import unpack

FOLDER = "EMNIST_LINES_WORKSPACES"
"""The environment variable that names the folder of workspaces and cache. A local disk: DVC locks files there."""
CONFIG = """[cache]
    dir = {cache}
    type = reflink,hardlink,copy
"""
NOT_INHERITED = ("OMP_NUM_THREADS", "DVC_ROOT", "DVC_STAGE")
"""Ray sets the first one to the cores of a stage, whose processes divide them."""


def workspaces_folder() -> Path:
    """Where this machine keeps workspaces and cache."""
    default = Path.home() / ".cache" / "emnist-lines" / platform.node()
    return Path(os.environ.get(FOLDER) or default).absolute()


def run_in_workspace(request: Mapping[str, Any], code: bytes) -> dict[str, Any]:
    """Run a stage in a workspace of its own; return the fields of its `StageResult`.

    The request holds the fields of the `StageTask` (`task`), the entries of `dvc.lock` (`lock`), the settings of the
    DVC remote (`remote`), environment variables (`environment`), the name of its progress (`progress`), and for a
    training on several machines the fields of the `NodeOfTraining` (`node`). All of it can be written as JSON.
    `code` is the archive of the project's files.

    The stage ends with this process, also if this one is killed.
    """
    with _claim_folder(workspaces_folder()) as (folder, lock):
        _fill(folder, request, code)
        environment = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        path = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", os.defpath)])
        with subprocess.Popen(
            [sys.executable, "-m", "pipeline.orchestration.cluster.child"],
            cwd=folder,
            env=environment | {"PATH": path} | request["environment"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[lock],  # the folder is in use for as long as the child lives
        ) as child:
            assert child.stdin
            assert child.stdout
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.flush()
            # The pipe stays open: its end, also by the death of this process, tells the child to end.
            answer = child.stdout.read()
    lines = answer.decode(errors="replace").splitlines(keepends=True)
    try:
        return {**json.loads(lines[-1]), "host": platform.node()}
    except (ValueError, IndexError):
        return {"stage": request["task"]["stage"], "status": 1, "output": "".join(lines), "host": platform.node()}


@contextmanager
def _claim_folder(root: Path) -> Iterator[tuple[Path, int]]:
    """The first folder that no other stage uses, and the open file that says so."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in itertools.count():
        lock = os.open(root / f"{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        try:
            yield root / str(number), lock
        finally:
            os.close(lock)
        return


def _fill(folder: Path, request: Mapping[str, Any], code: bytes) -> None:
    """Make the workspace anew: a stage that depends on a whole folder must not find outputs of other stages in it."""
    from dvc.utils.serialize import dumps_yaml

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    unpack(code, folder)
    lock = dumps_yaml({"schema": "2.0", "stages": request["lock"]})
    (folder / "dvc.lock").write_text(lock, encoding="utf-8")
    config = folder / ".dvc" / "config.local"
    config.touch(mode=0o600)  # it may hold passwords
    config.write_text(request["remote"] + CONFIG.format(cache=folder.parent / "cache"), encoding="utf-8")
