"""Processor cores, and how to end the processes that a command starts."""

import os
import signal
from contextlib import suppress
from types import FrameType

import psutil


def count_cores() -> int:
    """Processor cores that this process may use, at least 1."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def terminate_children_on_sigterm() -> None:
    """On SIGTERM, pass it on to every child process and their children, then exit.

    SIGTERM reaches only one process; Ctrl-C reaches all processes of a terminal. Each child ends in its own way: a
    training keeps its last whole epoch. Call this in the main thread.
    """
    signal.signal(signal.SIGTERM, _terminate_own_children)


def terminate_children(process: psutil.Process) -> list[psutil.Process]:
    """Send SIGTERM to the children of a process and to their children, and return them."""
    children: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        children = process.children(recursive=True)
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.terminate()
    return children


def _terminate_own_children(number: int, _frame: FrameType | None) -> None:
    terminate_children(psutil.Process())
    raise SystemExit(128 + number)
