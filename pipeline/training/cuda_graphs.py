"""Training on a GPU without waiting for Python: what a model launches is recorded once for each shape, and replayed.

A step of these models is some hundred operations of microseconds each, which take PyTorch longer to launch than the
GPU to compute. A CUDA graph launches all of a forward pass at once, and all of a backward pass.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.common.geometry import CELL, Windows, round_up
from pipeline.models.base import LineModel
from pipeline.models.layers.lengths import DeviceLengths
from pipeline.models.recognizer import Recognizer, to_pixels

KEPT_FREE = 1 / 4
"""Share of the GPU's memory that recordings leave: what they take stays taken, and other trainings may need it."""
COMES_AGAIN = 2
"""A shape is recorded when it comes this often; the times before set up what libraries keep for it."""


@dataclass(frozen=True)
class Plan:
    """The shape that a batch is computed in."""

    lines: int
    """B."""
    width: int
    """Pixels, those of the batch and blank paper."""
    steps: int
    """S."""


def plan(windows: Windows, raster: int, shape: tuple[int, int], steps: int, *, cut_to_lines: bool) -> Plan:
    """The plan of B lines of W pixels (`shape`), which need so many steps.

    Widths are multiples of `raster`, so that few plans serve all batches. Where only the steps on a line count, there
    are as many as fit the paper that is computed anyway; where all of them do, as many as are needed.
    """
    lines, pixels = shape
    if not cut_to_lines:
        return Plan(lines, round_up(pixels, raster), steps)
    width = round_up(max(pixels, windows.width_for(steps)), raster)
    return Plan(lines, width, (width - windows.width - windows.margin) // windows.stride + 1)


@dataclass(frozen=True)
class GraphedRecognizer(Recognizer):
    """A recognizer whose training steps on a GPU are replayed; it computes what a `Recognizer` does.

    One process on one device, and the gradients of one batch at a time: those of a batch lie where the next one's will.
    While a pass is recorded, no loss or logits of an earlier step may be left: PyTorch would wait for their stream.
    """

    graphs: "Graphs" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Begin without graphs."""
        object.__setattr__(self, "graphs", Graphs(self.model))

    def logits_by_depth(self, images: Tensor, widths: Sequence[int]) -> tuple[list[Tensor], list[int]]:
        """As `Recognizer`'s, of as many steps as planned."""
        raster = self.model.raster
        replayed = images.is_cuda and self.model.training and torch.is_grad_enabled()
        if raster is None or not replayed or torch.distributed.is_initialized():
            return super().logits_by_depth(images, widths)
        lengths = self.objective.lengths(self.model.windows, widths)
        cut = self.objective.cut_to_lines
        shape = len(images), images.shape[2]
        planned = plan(self.model.windows, raster, shape, max(lengths), cut_to_lines=cut)
        return self.graphs.logits_by_depth(planned, images, lengths), lengths


class Graphs:
    """The recorded passes of one model, all in one pool of memory: a step is over before the next one begins."""

    def __init__(self, model: LineModel) -> None:
        self.model = model
        self._seen: Counter[Plan] = Counter()
        self._recordings: dict[Plan, Recording] = {}
        self._where: list[int] = []
        self._pool: Any = None

    def logits_by_depth(self, planned: Plan, images: Tensor, lengths: Sequence[int]) -> list[Tensor]:
        """Logits (B, C, S) for images (B, 28, W) uint8, replayed if the plan has come before."""
        self._forget_if_moved()
        self._seen[planned] += 1
        if planned not in self._recordings:
            inputs = Inputs(planned, images.device)
            if self._seen[planned] < COMES_AGAIN or free_share(images.device) < KEPT_FREE:
                inputs.fill(images, lengths)
                return inputs.logits_by_depth(self.model)
            self._recordings[planned] = Recording(self.model, inputs, self._pool)
        recording = self._recordings[planned]
        recording.inputs.fill(images, lengths)
        return list(_Replay.apply(recording, *recording.parameters))  # type: ignore[no-untyped-call]

    def _forget_if_moved(self) -> None:
        """Graphs know weights by their addresses, which change when a model goes to another device and back."""
        where = [tensor.data_ptr() for tensor in (*self.model.parameters(), *self.model.buffers())]
        if where != self._where:
            self._recordings.clear()
            self._seen.clear()
            self._where, self._pool = where, torch.cuda.graph_pool_handle()


def free_share(device: torch.device) -> float:
    """Share of a GPU's memory that no process holds."""
    free, total = torch.cuda.mem_get_info(device)
    return free / total


class Inputs:
    """Where a recorded pass finds its batch."""

    def __init__(self, planned: Plan, device: torch.device) -> None:
        self.images = torch.zeros(planned.lines, CELL, planned.width, dtype=torch.uint8, device=device)
        self.lengths = DeviceLengths(torch.zeros(planned.lines, dtype=torch.int64, device=device), planned.steps)

    def fill(self, images: Tensor, lengths: Sequence[int]) -> None:
        """Put a batch there, with blank paper right of it."""
        width = images.shape[2]
        self.images[..., :width].copy_(images)
        self.images[..., width:].zero_()
        self.lengths.numbers.copy_(torch.tensor(lengths, pin_memory=self.images.is_cuda), non_blocking=True)

    def logits_by_depth(self, model: LineModel) -> list[Tensor]:
        """What the model makes of it."""
        return model.logits_by_depth(to_pixels(self.images), self.lengths)


class Recording:
    """One forward and one backward pass: replaying one computes `outputs` from `inputs`, the other one `gradients` of
    `parameters` from `of_outputs`.
    """

    def __init__(self, model: LineModel, inputs: Inputs, pool: Any) -> None:
        self.inputs = inputs
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.forwards, self.backwards = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        with _recording(self.forwards, pool), _uncached_autocast():
            outputs = inputs.logits_by_depth(model)
        self.of_outputs = [torch.zeros_like(output) for output in outputs]
        with _recording(self.backwards, pool):
            self.gradients = torch.autograd.grad(outputs, self.parameters, self.of_outputs, allow_unused=True)
        self.outputs = [output.detach() for output in outputs]


def _recording(graph: torch.cuda.CUDAGraph, pool: Any) -> AbstractContextManager[object]:
    """Record what is launched; other threads, such as one that watches the machine, may do as they like meanwhile."""
    return torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local")


def _uncached_autocast() -> AbstractContextManager[object]:
    """The same arithmetic, but with every weight rounded anew: a replay comes after the weights have changed."""
    if not torch.is_autocast_enabled("cuda"):
        return nullcontext()
    return torch.autocast("cuda", torch.get_autocast_dtype("cuda"), cache_enabled=False)


class _Replay(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, recording: Recording, *_parameters: nn.Parameter) -> tuple[Tensor, ...]:
        ctx.recording = recording
        recording.forwards.replay()
        return tuple(output.detach() for output in recording.outputs)

    @staticmethod
    def backward(ctx: Any, *of_outputs: Tensor) -> tuple[Tensor | None, ...]:
        recording: Recording = ctx.recording
        for kept, given in zip(recording.of_outputs, of_outputs, strict=True):
            kept.copy_(given)
        recording.backwards.replay()
        return None, *(None if gradient is None else gradient.detach() for gradient in recording.gradients)
