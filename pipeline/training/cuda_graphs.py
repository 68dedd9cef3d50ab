"""CUDA graphs: capture the forward and the backward pass of training once for each shape of batch, then replay them.

A pass of these models has some hundred operations of microseconds each. PyTorch takes longer to launch them than the
GPU to compute them. A CUDA graph launches all operations of a pass at once.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.common.geometry import Windows, round_up
from pipeline.models.base import LineModel
from pipeline.models.layers.lengths import DeviceLengths
from pipeline.models.recognizer import Recognizer, to_pixels

MIN_FREE_MEMORY = 1 / 4
"""Fraction of the GPU's memory to leave free for other trainings. Captured passes never return theirs."""
CAPTURE_AT_OCCURRENCE = 2
"""The occurrence of a shape at which it is captured. The first one runs without a graph, while libraries set up."""


@dataclass(frozen=True)
class PaddedShape:
    """The shape of batches that share a graph."""

    lines: int
    """B."""
    width: int
    """Width in pixels, with the background that is added."""
    steps: int
    """S."""


def pad_shape(
    windows: Windows, width_multiple: int, shape: tuple[int, int], steps: int, *, cut_to_lines: bool
) -> PaddedShape:
    """Pad the `shape` (B, W) of a batch that needs `steps` steps.

    Widths are multiples of `width_multiple`, so that few graphs serve all batches. With `cut_to_lines`, further steps
    are ignored: there are as many as fit the padded width. Without, all steps count: there are exactly `steps`.
    """
    lines, pixels = shape
    if not cut_to_lines:
        return PaddedShape(lines, round_up(pixels, width_multiple), steps)
    width = round_up(max(pixels, windows.width_for(steps)), width_multiple)
    return PaddedShape(lines, width, (width - windows.width - windows.margin) // windows.stride + 1)


@dataclass(frozen=True)
class GraphedRecognizer(Recognizer):
    """Computes what a `Recognizer` does, but replays CUDA graphs when it trains on one GPU in one process.

    Gradient buffers are reused: consume them before the next replay, so no gradient accumulation. Keep no loss or
    logits of an earlier step while a pass is captured: PyTorch would wait for their stream.
    """

    graphs: "GraphCache" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Start without graphs."""
        object.__setattr__(self, "graphs", GraphCache(self.model))

    def logits_by_depth(self, images: Tensor, widths: Sequence[int]) -> tuple[list[Tensor], list[int]]:
        """As `Recognizer.logits_by_depth`, but logits may have more steps than the longest line."""
        width_multiple = self.model.width_multiple
        trains_on_gpu = images.is_cuda and self.model.training and torch.is_grad_enabled()
        if width_multiple is None or not trains_on_gpu or torch.distributed.is_initialized():
            return super().logits_by_depth(images, widths)
        windows, shape = self.model.windows, (len(images), images.shape[2])
        lengths = self.objective.lengths(windows, widths)
        padded = pad_shape(windows, width_multiple, shape, max(lengths), cut_to_lines=self.objective.cut_to_lines)
        return self.graphs.logits_by_depth(padded, images, lengths), lengths


class GraphCache:
    """The captured passes of one model. They share one memory pool, because no two steps run at the same time."""

    def __init__(self, model: LineModel) -> None:
        self.model = model
        self._occurrences: Counter[PaddedShape] = Counter()
        self._passes: dict[PaddedShape, CapturedPasses] = {}
        self._addresses: list[int] = []
        self._pool: Any = None

    def logits_by_depth(self, shape: PaddedShape, images: Tensor, lengths: Sequence[int]) -> list[Tensor]:
        """Logits (B, C, S) of images (B, H, W) uint8, from a graph if the shape is captured."""
        self._clear_if_moved()
        self._occurrences[shape] += 1
        if shape not in self._passes:
            inputs = StaticInputs(shape, images.shape[1], images.device)
            few = self._occurrences[shape] < CAPTURE_AT_OCCURRENCE
            if few or free_memory_fraction(images.device) < MIN_FREE_MEMORY:
                inputs.fill(images, lengths)
                return inputs.logits_by_depth(self.model)
            self._passes[shape] = CapturedPasses(self.model, inputs, self._pool)
        passes = self._passes[shape]
        passes.inputs.fill(images, lengths)
        return list(_Replay.apply(passes, *passes.parameters))  # type: ignore[no-untyped-call]

    def _clear_if_moved(self) -> None:
        """Drop all graphs if the weights have moved. Graphs hold addresses, which change with the model's device."""
        addresses = [tensor.data_ptr() for tensor in (*self.model.parameters(), *self.model.buffers())]
        if addresses != self._addresses:
            self._passes.clear()
            self._occurrences.clear()
            self._addresses, self._pool = addresses, torch.cuda.graph_pool_handle()


def free_memory_fraction(device: torch.device) -> float:
    """Fraction of a GPU's memory that no process holds."""
    free, total = torch.cuda.mem_get_info(device)
    return free / total


class StaticInputs:
    """The input buffers of a captured pass, at fixed addresses."""

    def __init__(self, shape: PaddedShape, height: int, device: torch.device) -> None:
        self.images = torch.zeros(shape.lines, height, shape.width, dtype=torch.uint8, device=device)
        self.lengths = DeviceLengths(torch.zeros(shape.lines, dtype=torch.int64, device=device), shape.steps)

    def fill(self, images: Tensor, lengths: Sequence[int]) -> None:
        """Copy a batch into the buffers, with background right of it."""
        width = images.shape[2]
        self.images[..., :width].copy_(images)
        self.images[..., width:].zero_()
        self.lengths.numbers.copy_(torch.tensor(lengths, pin_memory=self.images.is_cuda), non_blocking=True)

    def logits_by_depth(self, model: LineModel) -> list[Tensor]:
        """The model's logits for the buffers."""
        return model.logits_by_depth(to_pixels(self.images), self.lengths)


class CapturedPasses:
    """Graphs of one forward and one backward pass.

    Replaying `forward_graph` computes `outputs` from `inputs`. Replaying `backward_graph` computes `gradients` of
    `parameters` from `grad_outputs`.
    """

    def __init__(self, model: LineModel, inputs: StaticInputs, pool: Any) -> None:
        self.inputs = inputs
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.forward_graph, self.backward_graph = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        with _capture(self.forward_graph, pool), _uncached_autocast():
            outputs = inputs.logits_by_depth(model)
        self.grad_outputs = [torch.zeros_like(output) for output in outputs]
        with _capture(self.backward_graph, pool):
            self.gradients = torch.autograd.grad(outputs, self.parameters, self.grad_outputs, allow_unused=True)
        self.outputs = [output.detach() for output in outputs]


def _capture(graph: torch.cuda.CUDAGraph, pool: Any) -> AbstractContextManager[object]:
    """Capture this thread's operations. Other threads may use the GPU meanwhile, such as a monitor."""
    return torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local")


def _uncached_autocast() -> AbstractContextManager[object]:
    """Capture the casts of weights too. Autocast would cache the cast weights, and replays would not see new ones."""
    if not torch.is_autocast_enabled("cuda"):
        return nullcontext()
    return torch.autocast("cuda", torch.get_autocast_dtype("cuda"), cache_enabled=False)


class _Replay(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, passes: CapturedPasses, *_parameters: nn.Parameter) -> tuple[Tensor, ...]:
        ctx.passes = passes
        passes.forward_graph.replay()
        return tuple(output.detach() for output in passes.outputs)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        passes: CapturedPasses = ctx.passes
        for static, given in zip(passes.grad_outputs, grad_outputs, strict=True):
            static.copy_(given)
        passes.backward_graph.replay()
        return None, *(None if gradient is None else gradient.detach() for gradient in passes.gradients)
