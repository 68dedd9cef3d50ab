"""What the machine offers: arithmetic, and an allocator that does not give pages back between steps."""

import ctypes
import platform
import sys

import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks of any size for the next step.

    By default every large tensor is mapped anew and its pages are zeroed by the kernel at first touch,
    which halves the speed of training on a CPU. Does nothing on other C libraries.
    """
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, 2**31 - 1)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


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
