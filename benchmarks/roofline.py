"""How close a training step comes to the limits of the machine, computed from the operations that it runs.

The roofline model (Williams et al., CACM 2009): an operation takes at least the time of its arithmetic at the peak rate
of matrix products, or the time of its bytes at the peak rate of copying, whichever is longer.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from benchmarks.inputs import Inputs
from benchmarks.ours import GPU_WARMUPS, compute_config_for, train
from benchmarks.peak import Peak, mean_peak, measure_peak

WARMUPS = {"cpu": 3, "cuda": GPU_WARMUPS}
ROUNDS = {"cpu": 6, "cuda": 20}
UNTOUCHED = ("_unsafe_view", "is_same_size")
"""Operations that move no bytes although they are not marked as views."""
LSTMS: Mapping[str, Callable[[Any], Sequence[Tensor]]] = {
    "mkldnn_rnn_layer": lambda args: args[1:3],
    "_cudnn_rnn": lambda args: args[1],
}
"""The weights among the arguments of each LSTM operation; the same for its backward operation."""

CONV_WITH_RELU = "_convolution_pointwise"
"""A convolution with a fused ReLU, which PyTorch's FLOP counter does not know."""


@dataclass(frozen=True)
class Utilization:
    """A training step compared with the limits of the machine, measured in the same minute."""

    gigaflops: float
    """Operations per second of the step, in billions."""
    machine: float
    """Operations per second of a matrix product between the steps, in billions."""
    of_matrix_rate: float
    """`gigaflops` divided by `machine`."""
    of_matrix_rate_in_products: float | None
    """The same while products and convolutions run; None on a GPU, whose operations are asynchronous."""
    of_roofline: float
    """The shortest possible time of these operations divided by their time."""


@dataclass(frozen=True)
class Operation:
    """One call of a PyTorch operation."""

    flops: float
    bytes: float
    """Read and written."""
    in_bf16: bool
    seconds: float
    """Until the call returned."""

    def least_seconds(self, peak: Peak) -> float:
        """Return the shortest possible time on a machine with these rates."""
        return max(self.flops / (peak.bf16 if self.in_bf16 else peak.fp32), self.bytes / peak.copy)


class Work(TorchDispatchMode):
    """Count the arithmetic and the bytes of all operations in its context."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        start = time.perf_counter()
        result = func(*args, **(kwargs or {}))
        seconds = time.perf_counter() - start
        if not func.is_view and func.overloadpacket.__name__ not in UNTOUCHED:
            flops = count_flops(func, args, kwargs or {}, result)
            tensors = [leaf for leaf in (*tree_leaves(args), *tree_leaves(result)) if isinstance(leaf, Tensor)]
            moved = sum(t.numel() * t.element_size() for t in tensors)
            in_bf16 = any(t.dtype == torch.bfloat16 for t in tensors)
            self.operations.append(Operation(flops, moved, in_bf16, seconds))
        return result

    @property
    def flops(self) -> float:
        """Arithmetic of all operations."""
        return sum(operation.flops for operation in self.operations)

    @property
    def seconds_in_products(self) -> float:
        """Time of the operations with arithmetic."""
        return sum(operation.seconds for operation in self.operations if operation.flops)

    def least_seconds(self, peak: Peak) -> float:
        """Return the shortest possible time of all operations."""
        return sum(operation.least_seconds(peak) for operation in self.operations)


def count_flops(func: Any, args: Any, kwargs: Any, result: Any) -> float:
    """Count the floating-point operations of a product or convolution; 0 for others, which are limited by memory."""
    name = func.overloadpacket.__name__
    forward = name.removesuffix("_backward")
    if forward in LSTMS:
        sequence, matrices = args[0], [weight for weight in LSTMS[forward](args) if weight.ndim == 2]
        per_step = 2.0 * sum(weight.numel() for weight in matrices)
        return (1 if name == forward else 2) * math.prod(sequence.shape[:2]) * per_step
    if name == CONV_WITH_RELU:
        return 2.0 * result.numel() * args[1][0].numel()
    counter = flop_registry.get(func.overloadpacket)
    return float(counter(*args, **kwargs, out_val=result)) if counter else 0.0


def measure_utilization(key: str, device: str = "cpu") -> Utilization:
    """Count the operations of some rounds of training steps, and time the same rounds in a second run.

    The machine's rates are measured between the rounds. They change within seconds on a shared host, or if the
    processor's clock depends on its load.
    """
    inputs, warmups = Inputs(device=device), WARMUPS[device]
    counted, timed = train(inputs, key, prepare=lambda recognizer: recognizer), train(inputs, key)
    for number in range(warmups):
        counted(number)
        timed(number)
    work, seconds, peaks = Work(), 0.0, []
    for number in range(warmups, warmups + ROUNDS[device]):
        peaks.append(measure_peak(device, rounds=2))
        with work:
            counted(number)
        peaks.append(measure_peak(device, rounds=2))
        start = time.perf_counter()
        timed(number)
        seconds += time.perf_counter() - start
    return compute_utilization(
        work, seconds, mean_peak(peaks), in_bf16=compute_config_for(device).bf16, is_awaited=device == "cpu"
    )


def compute_utilization(work: Work, seconds: float, peak: Peak, *, in_bf16: bool, is_awaited: bool) -> Utilization:
    """Compare `work`, which took `seconds`, with the rates of the machine.

    `is_awaited`: each operation was finished when its call returned, so its own time is known.
    """
    machine = peak.bf16 if in_bf16 else peak.fp32
    return Utilization(
        gigaflops=work.flops / seconds / 1e9,
        machine=machine / 1e9,
        of_matrix_rate=work.flops / seconds / machine,
        of_matrix_rate_in_products=work.flops / work.seconds_in_products / machine if is_awaited else None,
        of_roofline=work.least_seconds(peak) / seconds,
    )
