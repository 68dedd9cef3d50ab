"""How close a training step comes to what the machine can do, by the operations it really runs.

Source of the model: Williams et al., "Roofline", CACM 2009. Every operation needs at least the time of its
arithmetic at the peak rate of matrix products, or of its bytes at the peak rate of copying, whichever is longer.
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
from benchmarks.ours import GPU_WARMUPS, arithmetic_on, train
from benchmarks.peak import Peak, mean_peak, measure_peak

WARMUPS = {"cpu": 3, "cuda": GPU_WARMUPS}
ROUNDS = {"cpu": 6, "cuda": 20}
UNTOUCHED = ("_unsafe_view", "is_same_size")
"""Operations that move no bytes though they do not say that they are views."""
LSTMS: Mapping[str, Callable[[Any], Sequence[Tensor]]] = {
    "mkldnn_rnn_layer": lambda args: args[1:3],
    "_cudnn_rnn": lambda args: args[1],
}
"""Where these have their weights; their backward operations have them in the same place."""

RECTIFIED_CONV = "_convolution_pointwise"
"""A convolution with what follows it, which PyTorch's counter does not know."""


@dataclass(frozen=True)
class Share:
    """One model's training step beside what the machine could do in the same minute."""

    gigaflops: float
    """Per second, by the operations really done."""
    machine: float
    """Billions of operations per second of a matrix product, measured between the steps."""
    of_matrix_rate: float
    """Share of that rate."""
    of_matrix_rate_in_products: float | None
    """The same, while products and convolutions run; unknown of a GPU, which is not waited for."""
    of_roofline: float
    """Share of what the machine could do with these operations at best."""


@dataclass(frozen=True)
class Operation:
    """One call of PyTorch's."""

    flops: float
    bytes: float
    """Read and written."""
    in_bf16: bool
    seconds: float
    """Until it returned."""

    def least_seconds(self, peak: Peak) -> float:
        """What it takes at best."""
        return max(self.flops / (peak.bf16 if self.in_bf16 else peak.fp32), self.bytes / peak.copy)


class Work(TorchDispatchMode):
    """Counts the arithmetic and the bytes of all operations run under it."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        start = time.perf_counter()
        result = func(*args, **(kwargs or {}))
        seconds = time.perf_counter() - start
        if not func.is_view and func.overloadpacket.__name__ not in UNTOUCHED:
            flops = operations_of(func, args, kwargs or {}, result)
            tensors = [leaf for leaf in (*tree_leaves(args), *tree_leaves(result)) if isinstance(leaf, Tensor)]
            moved = sum(t.numel() * t.element_size() for t in tensors)
            in_bf16 = any(t.dtype == torch.bfloat16 for t in tensors)
            self.operations.append(Operation(flops, moved, in_bf16, seconds))
        return result

    @property
    def flops(self) -> float:
        """Of all operations."""
        return sum(operation.flops for operation in self.operations)

    @property
    def seconds_in_products(self) -> float:
        """Until the operations that are arithmetic returned."""
        return sum(operation.seconds for operation in self.operations if operation.flops)

    def least_seconds(self, peak: Peak) -> float:
        """What all operations take at best."""
        return sum(operation.least_seconds(peak) for operation in self.operations)


def operations_of(func: Any, args: Any, kwargs: Any, result: Any) -> float:
    """Floating-point operations of products and convolutions; 0 for all others, which memory bounds."""
    name = func.overloadpacket.__name__
    forward = name.removesuffix("_backward")
    if forward in LSTMS:
        sequence, matrices = args[0], [weight for weight in LSTMS[forward](args) if weight.ndim == 2]
        of_each_step = 2.0 * sum(weight.numel() for weight in matrices)
        return (1 if name == forward else 2) * math.prod(sequence.shape[:2]) * of_each_step
    if name == RECTIFIED_CONV:
        return 2.0 * result.numel() * args[1][0].numel()
    counter = flop_registry.get(func.overloadpacket)
    return float(counter(*args, **kwargs, out_val=result)) if counter else 0.0


def measure_share(key: str, device: str = "cpu") -> Share:
    """Count some rounds of training steps of experiment `key`, and time the same rounds of a second run.

    The machine's own rates are measured between the rounds: where other guests of a host come and go, or a processor's
    clock follows its load, they change within seconds.
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
    return share_of(work, seconds, mean_peak(peaks), in_bf16=arithmetic_on(device).bf16, is_awaited=device == "cpu")


def share_of(work: Work, seconds: float, peak: Peak, *, in_bf16: bool, is_awaited: bool) -> Share:
    """Of `work` that took so many seconds on a machine of these rates, and each operation its own if `is_awaited`."""
    machine = peak.bf16 if in_bf16 else peak.fp32
    return Share(
        gigaflops=work.flops / seconds / 1e9,
        machine=machine / 1e9,
        of_matrix_rate=work.flops / seconds / machine,
        of_matrix_rate_in_products=work.flops / work.seconds_in_products / machine if is_awaited else None,
        of_roofline=work.least_seconds(peak) / seconds,
    )
