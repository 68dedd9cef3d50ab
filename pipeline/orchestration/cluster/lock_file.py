"""`dvc.lock`, into which the driver merges the entries of stages that ran elsewhere."""

import time
from collections.abc import Mapping
from typing import Any

from dvc.utils.serialize import dumps_yaml, load_yaml

from pipeline.common.files import write_text
from pipeline.orchestration.stage import LOCK_FILE

WRITING_SHARE = 0.1
"""The part of the time that may go into writing: with 10,000 stages, the file takes two minutes."""


class LockFile:
    """The entries of `dvc.lock` by stage. Not safe for several threads."""

    def __init__(self) -> None:
        self.entries = read_lock()
        self._next_writing = 0.0

    def merge(self, stage: str, entry: dict[str, Any]) -> None:
        """Take the entry of a stage that has ended. It is in the file at once, or after one of the next stages."""
        self.entries[stage] = entry
        if time.monotonic() >= self._next_writing:
            self.write()

    def write(self) -> None:
        """Write all entries."""
        start = time.monotonic()
        write_lock(self.entries)
        end = time.monotonic()
        self._next_writing = end + (end - start) * (1 / WRITING_SHARE - 1)


def read_lock() -> dict[str, Any]:
    """The entries of `dvc.lock`."""
    return dict(load_yaml(str(LOCK_FILE)).get("stages") or {}) if LOCK_FILE.exists() else {}


def write_lock(entries: Mapping[str, Any]) -> None:
    """Write `dvc.lock` as DVC does."""
    write_text(LOCK_FILE, dumps_yaml({"schema": "2.0", "stages": dict(entries)}))
