"""The computation of an exported recognizer: from images to logits, with free batch size and width."""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.models.base import LineModel
from pipeline.models.layers.bidirectional_lstm import BidirectionalLSTM
from pipeline.models.layers.lengths import DeviceLengths
from pipeline.models.line_ppocr import STEPS_MULTIPLE, LinePPOCR
from pipeline.models.line_resnet import WIDTH_MULTIPLE
from pipeline.models.recognizer import Recognizer

IMAGES, WIDTHS, LOGITS, LENGTHS = "images", "widths", "logits", "lengths"
"""Names of the graph's inputs and outputs."""
EXAMPLE_WIDTHS = (77, 50, 60)
"""Widths in pixels of the lines that are traced."""
ONNX_GATES = (0, 3, 1, 2)
"""PyTorch's order of an LSTM's gates is input, forget, cell, output; that of ONNX is input, output, forget, cell."""


class LineGraph(nn.Module):
    """Images (B, 1, H, W) uint8 and widths (B,) int64 to logits (B, S, C) float32 and lengths (B,) int64.

    With CTC, S is the number of steps of the widest line, or a few more, so that all shapes are multiples of one
    number. With cross-entropy it is T.
    """

    def __init__(self, recognizer: Recognizer) -> None:
        super().__init__()
        self.model = with_onnx_lstms(recognizer.model)
        self.windows = recognizer.model.windows
        self.rounding = _rounding(recognizer.model)
        self.targets = None if recognizer.objective.cut_to_lines else recognizer.objective.max_length

    def forward(self, images: Tensor, widths: Tensor) -> tuple[Tensor, Tensor]:
        """See the class. Steps past a line's own length have no meaning."""
        stride = self.windows.stride
        if self.targets is None:
            widths = widths.clamp(min=1).minimum(torch.full_like(widths, images.shape[-1]))
            multiple = math.lcm(stride, self.rounding)
            blocks: Any = ((widths.max() + (multiple - 1)) // multiple).item()
            torch._check(blocks >= 1)  # type: ignore[no-untyped-call]
            width, steps = blocks * multiple, blocks * (multiple // stride)
            lengths = (widths + (stride - 1)) // stride  # `Windows.line_steps`; ONNX rounds negative numbers otherwise
        else:
            width, steps = self.windows.width_for(self.targets), self.targets
            lengths = torch.full_like(widths, self.targets)
        images = nn.functional.pad(images, (0, width - images.shape[-1]))  # cuts images that are wider
        logits: Tensor = self.model(images.float() / 255, DeviceLengths(lengths, steps))
        return logits.transpose(1, 2), lengths

    def example(self, height: int) -> tuple[Tensor, Tensor]:
        """Inputs to trace the graph with."""
        images = torch.zeros((len(EXAMPLE_WIDTHS), 1, height, max(EXAMPLE_WIDTHS)), dtype=torch.uint8)
        return images, torch.tensor(EXAMPLE_WIDTHS)


def _rounding(model: LineModel) -> int:
    """A model rounds widths up to multiples of so many pixels. Tracing needs widths that are such multiples already."""
    if isinstance(model, LinePPOCR):
        return STEPS_MULTIPLE * model.windows.stride
    return WIDTH_MULTIPLE if model.windows.downsampling > 1 else 1


def with_onnx_lstms(model: nn.Module) -> nn.Module:
    """A copy of a model in which each `BidirectionalLSTM` is an operation of ONNX."""
    model = copy.deepcopy(model)
    for name, module in list(model.named_modules()):
        if isinstance(module, BidirectionalLSTM):
            model.set_submodule(name, OnnxLSTM(module))
    return model


class OnnxLSTM(nn.Module):
    """A `BidirectionalLSTM` for export: each layer is one ONNX operation that knows the length of each sequence.

    PyTorch would export a loop over a fixed number of steps.
    """

    def __init__(self, lstm: BidirectionalLSTM) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            _OnnxLSTMLayer(forwards, backwards)
            for forwards, backwards in zip(lstm.forwards, lstm.backwards, strict=True)
        )

    def forward(self, sequences: Tensor, lengths: DeviceLengths) -> Tensor:
        """Sequences (B, S, features) to (B, S, 2 * hidden)."""
        x = sequences.transpose(0, 1)
        for layer in self.layers:
            x = layer(x, lengths.numbers)
        return x.transpose(0, 1)


class _OnnxLSTMLayer(nn.Module):
    """(S, B, features) to (S, B, 2 * hidden), with the weights in the order of ONNX."""

    weight: Tensor
    recurrence: Tensor
    bias: Tensor

    def __init__(self, *directions: nn.Module) -> None:
        super().__init__()
        self.hidden = int(directions[0].hidden_size)  # type: ignore[arg-type]
        parameters = [[_reorder(weight.detach()) for weight in lstm.parameters()] for lstm in directions]
        self.register_buffer("weight", torch.stack([weights[0] for weights in parameters]))
        self.register_buffer("recurrence", torch.stack([weights[1] for weights in parameters]))
        self.register_buffer("bias", torch.stack([torch.cat(weights[2:]) for weights in parameters]))

    def forward(self, sequences: Tensor, lengths: Tensor) -> Tensor:
        steps, batch, _ = sequences.shape
        states: Tensor = torch.onnx.ops.symbolic(
            "LSTM",
            (sequences, self.weight, self.recurrence, self.bias, lengths.int()),
            {"hidden_size": self.hidden, "direction": "bidirectional"},
            dtype=torch.float32,
            shape=(steps, 2, batch, self.hidden),
        )
        return states.transpose(1, 2).flatten(2)


def _reorder(weight: Tensor) -> Tensor:
    """Rows of the four gates in the order of ONNX."""
    gates = weight.chunk(4)
    return torch.cat([gates[gate] for gate in ONNX_GATES])
