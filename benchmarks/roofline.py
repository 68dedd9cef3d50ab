"""How close a training step comes to what the machine can do, by the operations it really runs.

Source of the model: Williams et al., "Roofline", CACM 2009. Every operation needs at least the time of its
arithmetic at the peak rate of matrix products, or of its bytes at the peak rate of copying, whichever is longer.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from benchmarks.inputs import Inputs
from benchmarks.ours import GPU_WARMUPS, arithmetic_on, train
from benchmarks.peak import Peak

WARMUPS = {"cpu": 3, "cuda": GPU_WARMUPS}
ROUNDS = {"cpu": 2, "cuda": 20}
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
    """One model's training step."""

    gigaflops: float
    """Per second, by the operations really done."""
    of_matrix_rate: float
    """Share of the machine's own rate of matrix products."""
    of_roofline: float
    """Share of what the machine could do with these operations at best."""


@dataclass
class Work(TorchDispatchMode):
    """Counts the arithmetic and the bytes of all operations run under it."""

    peak: Peak
    flops: float = 0.0
    seconds: float = field(default=0.0)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if not func.is_view and name not in UNTOUCHED:
            flops = operations_of(func, args, kwargs or {}, result)
            tensors = [leaf for leaf in (*tree_leaves(args), *tree_leaves(result)) if isinstance(leaf, Tensor)]
            moved = sum(t.numel() * t.element_size() for t in tensors)
            rate = self.peak.bf16 if any(t.dtype == torch.bfloat16 for t in tensors) else self.peak.fp32
            self.flops += flops
            self.seconds += max(flops / rate, moved / self.peak.copy)
        return result


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


def measure_share(key: str, peak: Peak, device: str = "cpu") -> Share:
    """Count some rounds of training steps of experiment `key`, and time the same rounds of a second run."""
    inputs, warmups = Inputs(device=device), WARMUPS[device]
    counted, timed = train(inputs, key, prepare=lambda reader: reader), train(inputs, key)
    for number in range(warmups):
        counted(number)
        timed(number)
    rounds, work = range(warmups, warmups + ROUNDS[device]), Work(peak)
    with work:
        for number in rounds:
            counted(number)
    start = time.perf_counter()
    for number in rounds:
        timed(number)
    seconds = time.perf_counter() - start
    rate = work.flops / seconds
    return Share(rate / 1e9, rate / (peak.bf16 if arithmetic_on(device).bf16 else peak.fp32), work.seconds / seconds)
