"""Commands that start others, and do not leave them behind."""

import signal
from contextlib import suppress
from types import FrameType

import psutil


def take_children_along() -> None:
    """From now on SIGTERM, which is sent to one process alone, ends those that it started too, and what they started.

    Each ends in its own way: a training keeps its last whole epoch. Ctrl-C needs no such care, as a terminal sends it
    to all. Call it in the main thread.
    """
    signal.signal(signal.SIGTERM, _end_all)


def _end_all(number: int, _frame: FrameType | None) -> None:
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.terminate()
    raise SystemExit(128 + number)
