"""Peak rates of the machine: matrix products and memory copies."""

import timeit
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from statistics import harmonic_mean

import torch

SIDE = 4096
COPIED = 2**28


@dataclass(frozen=True)
class Peak:
    """Measured peak rates of this machine."""

    fp32: float
    """Floating-point operations per second of a 4096 x 4096 x 4096 product in fp32."""
    bf16: float
    """The same in bf16."""
    copy: float
    """Bytes read and written per second by a copy of 256 MiB."""


def measure_peak(device: str = "cpu", rounds: int = 6) -> Peak:
    """Measure each rate as the best of several rounds, on `cpu` or `cuda`."""
    square = torch.randn(SIDE, SIDE, device=device)
    half = square.bfloat16()
    source = torch.zeros(COPIED, dtype=torch.uint8, device=device)
    target = torch.ones_like(source)
    work = 2 * SIDE**3

    def seconds(operation: Callable[[], object]) -> float:
        def whole() -> None:
            operation()
            wait_for(device)

        return min(timeit.repeat(whole, number=1, repeat=rounds))

    return Peak(
        fp32=work / seconds(lambda: square @ square),
        bf16=work / seconds(lambda: half @ half),
        copy=2 * COPIED / seconds(lambda: target.copy_(source)),
    )


def mean_peak(peaks: Sequence[Peak]) -> Peak:
    """Return the harmonic means: the rates of a machine that does the same amount of work at each of `peaks`."""
    return Peak(*(harmonic_mean(rates) for rates in zip(*map(astuple, peaks), strict=True)))


def wait_for(device: str) -> None:
    """Wait until the device has finished its work."""
    if device == "cuda":
        torch.cuda.synchronize()
