"""Where models compute, in which precision, and how to set up the processor."""

import os
import timeit
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache

import torch

from pipeline.runtime.memory import keep_freed_memory

ONEDNN_PRIMITIVES = 8192
MATRIX_SIZE = 768
"""Rows and columns of the matrices that compare bf16 with fp32: small enough to cost little of a stage's start."""


def prepare_cpu() -> None:
    """Set up the processor, the C library and oneDNN for training; call it before the first tensor operation.

    Denormal numbers become 0. Gradients of parameters that do not affect the result yet are such numbers, and a
    processor is many times slower with them: a training that made no progress in its first steps took three times as
    long. Threads inherit this setting from the thread that starts them.

    Batches have ever new widths, and oneDNN compiles kernels for each width. By default it keeps 1,024 of them, fewer
    than one epoch needs.
    """
    torch.set_flush_denormal(True)
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(ONEDNN_PRIMITIVES))
    keep_freed_memory()


@dataclass(frozen=True)
class ComputeConfig:
    """The device on which a trained model runs, `cpu` or `cuda`, and whether it computes in bf16."""

    device: str
    bf16: bool

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which the model runs."""
        return torch.autocast(self.device, torch.bfloat16) if self.bf16 else nullcontext()


def choose_compute_config(precision: str, accelerator: str) -> ComputeConfig:
    """Choose device and precision for a model that was trained with these settings of the trainer."""
    device = "cuda" if uses_gpu(accelerator) else "cpu"
    return ComputeConfig(device, choose_precision(precision, accelerator).startswith("bf16"))


def uses_gpu(accelerator: str) -> bool:
    """Whether Lightning will take a CUDA device for this `accelerator` setting."""
    return accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available())


def choose_precision(precision: str, accelerator: str) -> str:
    """Resolve `auto`: bf16-mixed if the hardware multiplies bf16 natively and no slower than fp32, else 32-true."""
    if precision != "auto":
        return precision
    if uses_gpu(accelerator):
        native = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    elif accelerator in ("auto", "cpu"):
        native = (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()) and is_bf16_fast_on_cpu()
    else:
        native = False
    return "bf16-mixed" if native else "32-true"


@cache
def is_bf16_fast_on_cpu() -> bool:
    """Whether this processor multiplies matrices at least as fast in bf16 as in fp32; measured once, in 0.1 s.

    The instruction set does not tell. With bf16 in AVX-512, AMD's processors take half the time of fp32; Intel's take
    twice the time if a hypervisor hides their AMX units. No processor was seen with a ratio near 1.
    """
    matrix = torch.ones(MATRIX_SIZE, MATRIX_SIZE)
    return time_product(matrix.bfloat16()) <= time_product(matrix)


def time_product(matrix: torch.Tensor, rounds: int = 5) -> float:
    """Seconds that the product of a square matrix with itself takes, in the fastest round."""
    return min(timeit.repeat(lambda: matrix @ matrix, number=1, repeat=rounds))
