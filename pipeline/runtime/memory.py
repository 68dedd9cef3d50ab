"""Memory that is kept between steps instead of being given back to the system, and how much there is."""

import ctypes
import os
import platform
import re
import sys
from pathlib import Path

import psutil
import torch

from pipeline.runtime.processes import count_cores

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_SHARE = 0.5
"""Of the machine's memory, what all processes of a training may keep where a step does not need more by itself."""
CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


def keep_freed_memory() -> None:
    """Tell the C library to keep freed memory.

    By default every large tensor is mapped anew and its pages are zeroed by the kernel at first touch, which halves
    the speed of training.
    """
    if libc := _glibc():
        libc.mallopt(M_MMAP_THRESHOLD, 2**31 - 1)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


class KeptMemory:
    """Bounds what is kept between steps: to `limit` bytes, or to a quarter above what the largest step needs.

    Kept blocks do not quite fit tensors of other widths: they pile up to twice or three times of what is in use, then
    all that comes fits somewhere. Where there is memory for that, a training in fp32 takes a fifth less time than
    with a bound that it meets every few steps; by default `limit` is `share_of_memory()`. A step that comes right
    after the memory was given back shows what it needs by itself, gaps apart; giving back less than that after every
    step would only cost time.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._libc = _glibc()
        self.limit = share_of_memory() if limit is None else limit
        self._trimmed = False

    def bound(self) -> None:
        """Call it after each step: gives freed memory back to the system if too much is held."""
        if self._libc is None:
            return
        held = resident_memory()
        if held <= self.limit:
            self._trimmed = False
        elif self._trimmed:
            self.limit, self._trimmed = held + held // 4, False
        else:
            self._libc.malloc_trim(0)
            self._trimmed = True


def share_of_memory() -> int:
    """Bytes that this process may keep: its part of `KEPT_SHARE` by its threads among the cores that it may use.

    Of several trainings at once, or several processes of one, each has a part of the cores.
    """
    threads = min(1.0, torch.get_num_threads() / count_cores())
    return int(KEPT_SHARE * threads * usable_memory())


def usable_memory() -> int:
    """Bytes that the machine has, or what its container may take of them (control groups of version 2)."""
    machine: int = psutil.virtual_memory().total
    try:
        allowed = CONTAINER_LIMIT.read_text().strip()
    except OSError:
        return machine
    return min(machine, int(allowed)) if allowed.isdecimal() else machine


def resident_memory() -> int:
    """Bytes of memory that this process holds (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_memory(pid: int | str = "self") -> int:
    """Most bytes of memory that a process has held since its program began (Linux); 0 where it has ended.

    What `getrusage` and `wait4` tell would count the parent's memory, from before the program began, as well.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _glibc() -> ctypes.CDLL | None:
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        return ctypes.CDLL("libc.so.6")
    return None
