"""What the machine can do at best: matrix products and copies of memory."""

from dataclasses import dataclass

import torch

from pipeline.hardware import fastest, product_seconds

SIDE = 4096
COPIED = 2**28


@dataclass(frozen=True)
class Peak:
    """Measured rates of this machine."""

    fp32: float
    """Floating-point operations per second of a 4096 x 4096 x 4096 product in fp32."""
    bf16: float
    """The same in bf16."""
    copy: float
    """Bytes per second read and written by a copy of 256 MiB."""


def measure_peak(rounds: int = 6) -> Peak:
    """The best of some rounds each."""
    square = torch.randn(SIDE, SIDE)
    half = square.bfloat16()
    source = torch.zeros(COPIED, dtype=torch.uint8)
    target = torch.ones_like(source)
    work = 2 * SIDE**3
    return Peak(
        fp32=work / product_seconds(square, rounds),
        bf16=work / product_seconds(half, rounds),
        copy=2 * COPIED / fastest(lambda: target.copy_(source), rounds),
    )
