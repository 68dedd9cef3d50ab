"""Reading many lines: sorted by width, in batches, each line as if it were alone."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from pipeline.common.errors import InputError
from pipeline.common.geometry import CELL
from pipeline.data.loading.batches import Batch, WidthBatches, line_loader
from pipeline.data.storage.lines import Lines
from pipeline.models.checkpoint import load_checkpoint
from pipeline.models.recognizer import Recognizer
from pipeline.runtime.hardware import Arithmetic
from pipeline.runtime.memory import KeptMemory


def predict_all(
    recognizer: Recognizer, lines: Lines, *, batch_size: int, arithmetic: Arithmetic
) -> tuple[list[str], Tensor]:
    """The readings of all lines in their own order, and the class indices (N, T) they come from."""
    texts = [""] * len(lines)
    rows = torch.empty((len(lines), recognizer.objective.max_length), dtype=torch.int64)

    def read(indices: list[int], batch: Batch) -> None:
        readings, rows[indices] = recognizer.read(batch.images, batch.widths)
        for index, text in zip(indices, readings, strict=True):
            texts[index] = text

    for_each_batch(recognizer, lines, read, batch_size=batch_size, arithmetic=arithmetic)
    return texts, rows


@torch.inference_mode()
def for_each_batch(
    recognizer: Recognizer,
    lines: Lines,
    use: Callable[[list[int], Batch], None],
    *,
    batch_size: int,
    arithmetic: Arithmetic,
) -> None:
    """Call `use` with the numbers of lines of like width and their batch on the device, the model there too."""
    recognizer.model.eval().to(arithmetic.device)
    batches = WidthBatches(lines.widths, batch_size)
    loader = line_loader(lines, batches)
    kept = KeptMemory()
    with arithmetic.autocast():
        for indices, batch in zip(batches, tqdm(loader, desc="reading", unit="batch", disable=None), strict=True):
            use(indices, batch.to(torch.device(arithmetic.device)))
            kept.bound()


def predict_images(recognizer: Recognizer, images: NDArray[np.uint8] | Sequence[NDArray[np.uint8]]) -> list[str]:
    """The texts of line images, each (28, W) uint8 with 0 for paper and 255 for full ink.

    Raises:
        InputError: an image is not of that shape and type.
    """
    texts = []
    for number, image in enumerate(images):
        if image.ndim != 2 or image.shape[0] != CELL or image.dtype != np.uint8 or not image.shape[1]:
            raise InputError(
                f"image {number}: expected (28, W) uint8 with ink bright on dark, got {image.shape} {image.dtype}"
            )
        texts += recognizer.read(torch.from_numpy(image[None].copy()), [image.shape[1]])[0]
    return texts


def load_recognizer(path: Path) -> Recognizer:
    """The recognizer of a checkpoint, in evaluation mode on the CPU."""
    return load_checkpoint(path)[1]
