"""How much memory there is, and how much freed memory a process keeps between steps."""

import ctypes
import os
import platform
import sys
from pathlib import Path

import psutil
import torch

from pipeline.runtime.processes import count_cores

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_FRACTION = 0.5
"""Fraction of the machine's memory that all processes of a training may keep, unless one step needs more."""
CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


def keep_freed_memory() -> None:
    """Tell the C library to keep freed memory.

    By default it maps every large tensor again, and the kernel zeroes its pages at first touch. That halves the speed
    of training.
    """
    if libc := _glibc():
        libc.mallopt(M_MMAP_THRESHOLD, 2**31 - 1)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


class MemoryTrimmer:
    """Returns freed memory to the system when the process holds more than `limit` bytes.

    Freed blocks do not quite fit tensors of other widths. They pile up to two or three times the memory in use; from
    then on, every tensor fits somewhere. A training in fp32 takes a fifth less time with that much memory than with a
    limit that it exceeds every few steps. So the default `limit` is large: `memory_share()`.

    The step right after a trim shows how much memory a step needs without gaps. If that is above the limit, trimming
    after every step would only cost time: the limit rises to a quarter more than what that step needed.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._libc = _glibc()
        self.limit = memory_share() if limit is None else limit
        self._just_trimmed = False

    def trim_above_limit(self) -> None:
        """Return freed memory if too much is held; call it after each step."""
        if self._libc is None:
            return
        held = resident_memory()
        if held <= self.limit:
            self._just_trimmed = False
        elif self._just_trimmed:
            self.limit, self._just_trimmed = held + held // 4, False
        else:
            self._libc.malloc_trim(0)
            self._just_trimmed = True


def memory_share() -> int:
    """Bytes that this process may keep: its part of `KEPT_FRACTION`, by its threads among the usable cores.

    Several trainings at once, or several processes of one training, each have a part of the cores.
    """
    threads = min(1.0, torch.get_num_threads() / count_cores())
    return int(KEPT_FRACTION * threads * usable_memory())


def usable_memory() -> int:
    """Bytes of the machine's memory, or the limit of its container if that is lower (cgroup v2)."""
    total: int = psutil.virtual_memory().total
    try:
        limit = CONTAINER_LIMIT.read_text().strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdecimal() else total


def resident_memory() -> int:
    """Bytes of memory that this process holds (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _glibc() -> ctypes.CDLL | None:
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        return ctypes.CDLL("libc.so.6")
    return None
