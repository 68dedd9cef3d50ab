"""Compare what an ONNX file computes with what PyTorch computes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.common.errors import InputError
from pipeline.data.loading.batches import Batch
from pipeline.data.storage.lines import Lines
from pipeline.export.graph import IMAGES, WIDTHS
from pipeline.inference.batches import for_each_batch
from pipeline.metrics.error_rates import character_error_rate
from pipeline.models.recognizer import Recognizer
from pipeline.runtime.hardware import ComputeConfig

TOLERANCE = 1e-3
"""Greatest difference of logits, as a fraction of the greatest logit: rounding stays far below it."""
NOISE_WIDTHS = (131, 9, 96, 1), (200,), (16, 16)
"""Widths of the lines of the batches that every file must compute as PyTorch does."""


class OnnxModel:
    """An ONNX file in ONNX Runtime."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def logits(self, images: Tensor, widths: Sequence[int]) -> tuple[Tensor, list[int]]:
        """As `Recognizer.logits`: images (B, H, W) uint8 to logits (B, C, S), and the number of steps of each line."""
        inputs = {IMAGES: images.unsqueeze(1).numpy(), WIDTHS: np.array(widths, dtype=np.int64)}
        logits, lengths = self.session.run(None, inputs)
        return torch.from_numpy(logits).transpose(1, 2), lengths.tolist()


@dataclass
class Comparison:
    """An ONNX file and PyTorch on the same lines."""

    texts: list[str]
    """What the ONNX file reads."""
    different: int = 0
    """Lines that PyTorch reads otherwise."""
    difference: float = 0.0
    """Greatest difference of logits."""
    cer: float = 0.0
    """Of the ONNX file, as a fraction."""


def compare(
    files: Mapping[str, Path], recognizer: Recognizer, lines: Lines, *, batch_size: int
) -> tuple[float, dict[str, Comparison]]:
    """Read all lines with PyTorch and with each of the files; the first result is PyTorch's CER as a fraction."""
    models = {name: OnnxModel(path) for name, path in files.items()}
    results = {name: Comparison([""] * len(lines)) for name in files}
    texts = [""] * len(lines)

    def read(indices: list[int], batch: Batch) -> None:
        expected, lengths = recognizer.logits(batch.images, batch.widths)
        _put(texts, indices, recognizer, expected, lengths)
        for name, model in models.items():
            logits, steps = model.logits(batch.images, batch.widths)
            result = results[name]
            result.difference = max(result.difference, greatest_difference(logits, expected, lengths))
            _put(result.texts, indices, recognizer, logits, steps)

    for_each_batch(recognizer, lines, read, batch_size=batch_size, compute=ComputeConfig("cpu", bf16=False))
    for result in results.values():
        result.different = sum(ours != theirs for ours, theirs in zip(result.texts, texts, strict=True))
        result.cer = character_error_rate(result.texts, lines.texts)
    return character_error_rate(texts, lines.texts), results


def _put(texts: list[str], indices: list[int], recognizer: Recognizer, logits: Tensor, lengths: Sequence[int]) -> None:
    objective = recognizer.objective
    for index, text in zip(indices, objective.texts(objective.decode(logits, lengths)), strict=True):
        texts[index] = text


def greatest_difference(logits: Tensor, expected: Tensor, lengths: Sequence[int]) -> float:
    """The greatest difference of two batches of logits (B, C, S) at the steps that count."""
    steps = max(lengths)
    differences = (logits[..., :steps] - expected[..., :steps]).abs().amax(1)
    return float(differences[torch.arange(steps) < torch.tensor(lengths)[:, None]].max())


@torch.inference_mode()
def require_equal(path: Path, recognizer: Recognizer) -> None:
    """Compare the logits of a few lines of noise.

    Raises:
        InputError: they are not those of PyTorch.
    """
    model, generator = OnnxModel(path), torch.Generator().manual_seed(0)
    for widths in NOISE_WIDTHS:
        size = len(widths), recognizer.model.height, max(widths)
        images = torch.randint(0, 256, size, dtype=torch.uint8, generator=generator)
        images *= torch.arange(max(widths)) < torch.tensor(widths)[:, None, None]
        expected, lengths = recognizer.logits(images, widths)
        logits, steps = model.logits(images, widths)
        difference = greatest_difference(logits, expected, lengths) if steps == lengths else float("inf")
        if not difference <= TOLERANCE * max(1.0, float(expected.abs().max())):
            raise InputError(
                f"export: the ONNX file does not compute what the model does (logits differ by {difference:.2g}); "
                "install the pinned versions of torch, onnx, onnxscript and onnxruntime"
            )
