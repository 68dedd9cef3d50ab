"""What a model says of many lines, kept for decoding them more than once."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from pipeline.data.batches import WidthBatches, line_loader
from pipeline.data.lines import Lines
from pipeline.hardware import KeptMemory
from pipeline.reader import Reader

LINES_AT_ONCE = 128


@dataclass(frozen=True)
class Posteriors:
    """Log-probabilities (N, C, S) float32 on the CPU, and how many steps of each of the N lines count."""

    log_probabilities: Tensor
    lengths: list[int]

    def __len__(self) -> int:
        return len(self.lengths)

    def batches(self) -> Iterator[tuple[list[int], Tensor, list[int]]]:
        """Lines of about the same length: their numbers, log-probabilities (B, C, S), and lengths."""
        order = np.argsort(self.lengths, kind="stable")
        for start in range(0, len(order), LINES_AT_ONCE):
            lines = order[start : start + LINES_AT_ONCE].tolist()
            lengths = [self.lengths[line] for line in lines]
            yield lines, self.log_probabilities[lines, :, : max(lengths)], lengths


@torch.inference_mode()
def compute_posteriors(reader: Reader, lines: Lines, *, batch_size: int, device: str, bf16: bool) -> Posteriors:
    """Run the model over all lines, in the arithmetic in which `read_all` reads them."""
    reader.model.eval().to(device)
    steps = reader.objective.lengths(reader.model.windows, lines.widths.tolist())
    found: Tensor | None = None
    batches = WidthBatches(lines.widths, batch_size)
    kept = KeptMemory()
    autocast = torch.autocast(torch.device(device).type, torch.bfloat16) if bf16 else nullcontext()
    with autocast:
        shown = tqdm(line_loader(lines, batches), desc="logits", unit="batch", disable=None)
        for indices, batch in zip(batches, shown, strict=True):
            logits, lengths = reader.logits(batch.to(torch.device(device)).images, batch.widths)
            values = logits.float().log_softmax(1).cpu()
            if found is None:
                found = torch.full((len(lines), values.shape[1], max(steps)), -torch.inf)
            found[indices, :, : max(lengths)] = values[:, :, : max(lengths)]
            kept.bound()
    assert found is not None
    return Posteriors(found, steps)
