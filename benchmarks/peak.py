"""What the machine can do at best: matrix products and copies of memory."""

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from statistics import harmonic_mean

import torch

from pipeline.runtime.hardware import fastest

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


def measure_peak(device: str = "cpu", rounds: int = 6) -> Peak:
    """The best of some rounds each, on `cpu` or `cuda`."""
    square = torch.randn(SIDE, SIDE, device=device)
    half = square.bfloat16()
    source = torch.zeros(COPIED, dtype=torch.uint8, device=device)
    target = torch.ones_like(source)
    work = 2 * SIDE**3

    def seconds(operation: Callable[[], object]) -> float:
        def whole() -> None:
            operation()
            wait_for(device)

        return fastest(whole, rounds)

    return Peak(
        fp32=work / seconds(lambda: square @ square),
        bf16=work / seconds(lambda: half @ half),
        copy=2 * COPIED / seconds(lambda: target.copy_(source)),
    )


def mean_peak(peaks: Sequence[Peak]) -> Peak:
    """The rates of a machine that does as much at each of these."""
    return Peak(*(harmonic_mean(rates) for rates in zip(*map(astuple, peaks), strict=True)))


def wait_for(device: str) -> None:
    """Until all work that the device was given is done."""
    if device == "cuda":
        torch.cuda.synchronize()
