"""What the machine offers: arithmetic, and memory that is not given back between steps."""

import ctypes
import os
import platform
import re
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


RESIDENT_LIMIT = 5 * 2**28
"""Bytes in memory up to which freed memory is kept, where a step does not need more by itself."""
ONEDNN_PRIMITIVES = 8192
MEASURED_SIDE = 768
"""Rows of the matrices that are multiplied to compare bf16 with fp32: small beside the rest of a stage's start."""


def prepare_cpu() -> None:
    """Set up the processor, the C library and oneDNN for training; call it before the first tensor operation.

    Numbers too small for a normal float count as 0. Gradients of what has no part in the result yet are such numbers,
    and a processor is many times slower at them: a training that stands still for its first steps took three times as
    long. Threads inherit this from the one that starts them.

    Batches come in ever new widths, and oneDNN compiles its kernels for each: by default it keeps 1,024 of
    them, fewer than the widths of one epoch need.
    """
    torch.set_flush_denormal(True)
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(ONEDNN_PRIMITIVES))
    if libc := _glibc():
        # By default every large tensor is mapped anew and its pages are zeroed by the kernel at first touch,
        # which halves the speed of training.
        libc.mallopt(M_MMAP_THRESHOLD, 2**31 - 1)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


class KeptMemory:
    """Bounds what is kept between steps: to `limit` bytes, or to a quarter above what the largest step needs.

    Kept blocks do not quite fit tensors of other widths, and without this the gaps would add up to several
    times of what is in use. A step that comes right after the memory was given back shows what it needs
    by itself, gaps apart; giving back less than that after every step would only cost time.
    """

    def __init__(self, limit: int = RESIDENT_LIMIT) -> None:
        self.limit = limit
        self._libc = _glibc()
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


@dataclass(frozen=True)
class Arithmetic:
    """Where a trained model reads, `cpu` or `cuda`, and whether in bf16."""

    device: str
    bf16: bool

    def autocast(self) -> AbstractContextManager[object]:
        """The context that the model runs in."""
        return torch.autocast(self.device, torch.bfloat16) if self.bf16 else nullcontext()


def choose_arithmetic(precision: str, accelerator: str) -> Arithmetic:
    """That of reading with a model that was trained with these settings of the trainer."""
    device = "cuda" if uses_gpu(accelerator) else "cpu"
    return Arithmetic(device, choose_precision(precision, accelerator).startswith("bf16"))


def uses_gpu(accelerator: str) -> bool:
    """Whether Lightning will take a CUDA device for this `accelerator` setting."""
    return accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available())


def choose_precision(precision: str, accelerator: str) -> str:
    """Lightning's precision for `auto`: bf16-mixed where bf16 products are native and no slower, else 32-true."""
    if precision != "auto":
        return precision
    if uses_gpu(accelerator):
        native = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    elif accelerator in ("auto", "cpu"):
        native = (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()) and bf16_pays_on_cpu()
    else:
        native = False
    return "bf16-mixed" if native else "32-true"


@cache
def bf16_pays_on_cpu() -> bool:
    """Whether this processor multiplies matrices at least as fast in bf16 as in fp32; measured once, in 0.1 s.

    The instructions say little: those of AVX-512 take AMD's processors half the time of fp32, and Intel's twice
    the time, where a hypervisor hides their AMX units. Nothing was seen that came near 1.
    """
    single = torch.ones(MEASURED_SIDE, MEASURED_SIDE)
    half = single.bfloat16()
    return product_seconds(half) <= product_seconds(single)


def product_seconds(square: torch.Tensor, rounds: int = 5) -> float:
    """Seconds that the fastest of some products of a matrix with itself takes."""
    return fastest(lambda: square @ square, rounds)


def fastest(work: Callable[[], object], rounds: int) -> float:
    """Seconds of the fastest of some rounds; the first of them may set things up."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
