"""What the machine offers: arithmetic, and memory that is not given back between steps."""

import ctypes
import os
import platform
import sys
from pathlib import Path

import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


RESIDENT_LIMIT = 9 * 2**29
"""Bytes in memory above which freed memory is given back after all."""
ONEDNN_PRIMITIVES = 8192


def prepare_cpu() -> None:
    """Set up the C library and oneDNN for training on a CPU; call it before the first tensor operation.

    Batches come in ever new widths, and oneDNN compiles its kernels for each: by default it keeps 1,024 of
    them, fewer than the widths of one epoch need.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(ONEDNN_PRIMITIVES))
    if libc := _glibc():
        # By default every large tensor is mapped anew and its pages are zeroed by the kernel at first touch,
        # which halves the speed of training.
        libc.mallopt(M_MMAP_THRESHOLD, 2**31 - 1)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def limit_memory(limit: int = RESIDENT_LIMIT) -> None:
    """Give freed memory back to the system if this process holds more than `limit` bytes.

    Kept blocks do not quite fit tensors of other widths, and without this the gaps would add up to several
    times of what is in use.
    """
    if (libc := _glibc()) and resident_memory() > limit:
        libc.malloc_trim(0)


def resident_memory() -> int:
    """Bytes of memory that this process holds (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _glibc() -> ctypes.CDLL | None:
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        return ctypes.CDLL("libc.so.6")
    return None


def uses_gpu(accelerator: str) -> bool:
    """Whether Lightning will take a CUDA device for this `accelerator` setting."""
    return accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available())


def choose_precision(precision: str, accelerator: str) -> str:
    """Lightning's precision for `auto`: bf16-mixed where bf16 products are native, else 32-true."""
    if precision != "auto":
        return precision
    if uses_gpu(accelerator):
        native = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    elif accelerator in ("auto", "cpu"):
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    else:
        native = False
    return "bf16-mixed" if native else "32-true"
