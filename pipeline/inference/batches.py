"""Recognize many lines in batches of similar width; each line gives the same result as alone."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from pipeline.common.progress import progress_bar
from pipeline.data.loading.batches import Batch, LineDataset, WidthBatches, line_loader
from pipeline.data.storage.lines import Lines
from pipeline.models.checkpoint import load_checkpoint
from pipeline.models.recognizer import Recognizer
from pipeline.runtime.hardware import ComputeConfig
from pipeline.runtime.memory import MemoryTrimmer


def predict_all(
    recognizer: Recognizer, lines: Lines, *, batch_size: int, compute: ComputeConfig
) -> tuple[list[str], Tensor]:
    """The predicted texts of N lines, in the order of the data, and their class indices (N, T) on the CPU."""
    texts = [""] * len(lines)
    classes = torch.empty((len(lines), recognizer.objective.max_length), dtype=torch.int64)

    def predict(indices: list[int], batch: Batch) -> None:
        predictions, classes[indices] = recognizer.predict(batch.images, batch.widths)
        for index, text in zip(indices, predictions, strict=True):
            texts[index] = text

    for_each_batch(recognizer, lines, predict, batch_size=batch_size, compute=compute)
    return texts, classes


@torch.inference_mode()
def for_each_batch(
    recognizer: Recognizer,
    lines: Lines,
    use: Callable[[list[int], Batch], None],
    *,
    batch_size: int,
    compute: ComputeConfig,
) -> None:
    """Call `use` with the indices of each batch of lines and the batch, on the device and in evaluation mode."""
    recognizer.model.eval().to(compute.device)
    batches = WidthBatches(lines.widths, batch_size)
    loader = line_loader(LineDataset(lines), batches)
    memory = MemoryTrimmer()
    with compute.autocast():
        for indices, batch in zip(batches, progress_bar(loader, desc="reading", unit="batch"), strict=True):
            use(indices, batch.to(torch.device(compute.device)))
            memory.trim_above_limit()


def load_recognizer(path: Path) -> Recognizer:
    """The recognizer of a checkpoint, in evaluation mode on the CPU."""
    return load_checkpoint(path)[1]
