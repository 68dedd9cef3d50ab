"""What the machine offers for arithmetic, and how to set it up."""

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache

import torch

from pipeline.runtime.memory import keep_freed_memory

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
    keep_freed_memory()


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
