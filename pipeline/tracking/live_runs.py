"""Know which runs of this project are still being written, and end those whose process died.

A process keeps a file locked in `.training/` for each run that it writes. The lock ends with the process, however that
ends. So a run is dead if its file is there and not locked; runs of other projects and machines have no file here.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from pipeline.common.files import project_root

if TYPE_CHECKING:
    from mlflow import MlflowClient

_FOLDER = ".training"
_SUFFIX = ".run"


class LiveRun:
    """The lock of one run, held from its creation to `release`."""

    def __init__(self, run_id: str) -> None:
        folder = project_root() / _FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / f"{run_id}{_SUFFIX}"
        # Locked before it has its name: nobody sees it unlocked while the run is alive.
        self._lock = FileLock(folder / f"{run_id}.{os.getpid()}.starting")
        self._lock.acquire()
        Path(self._lock.lock_file).replace(self._file)

    def release(self, ended: bool) -> None:
        """Give the lock back. A run that could not be ended in the store counts as dead from now on."""
        if ended:
            self._file.unlink(missing_ok=True)
        self._lock.release()


def end_dead_runs(client: "MlflowClient") -> int:
    """Mark the runs of this project whose process died as KILLED, and return their number.

    Raises:
        MlflowException: the store does not answer.
    """
    ended = 0
    for file in sorted((project_root() / _FOLDER).glob(f"*{_SUFFIX}")):
        with suppress(Timeout, OSError), FileLock(file, timeout=0):
            if (running := _is_running(client, file.stem)) is None:
                continue  # It is in another store.
            if running:
                client.set_terminated(file.stem, "KILLED")
                ended += 1
            file.unlink(missing_ok=True)
    return ended


def _is_running(client: "MlflowClient", run_id: str) -> bool | None:
    """Whether the store shows a run as running; None if it does not have the run."""
    from mlflow.exceptions import MlflowException

    try:
        info = client.get_run(run_id).info
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    return bool(info.status == "RUNNING" and info.lifecycle_stage == "active")
