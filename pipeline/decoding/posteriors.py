"""What a model says of many lines, kept for decoding them more than once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.data.batches import Batch
from pipeline.data.lines import Lines
from pipeline.hardware import Arithmetic
from pipeline.inference import for_each_batch
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


def compute_posteriors(reader: Reader, lines: Lines, *, batch_size: int, arithmetic: Arithmetic) -> Posteriors:
    """Run the model over all lines, in the arithmetic in which `read_all` reads them."""
    steps = reader.objective.lengths(reader.model.windows, lines.widths.tolist())
    found = torch.empty(0)

    def keep(indices: list[int], batch: Batch) -> None:
        nonlocal found
        logits, lengths = reader.logits(batch.images, batch.widths)
        values = logits.float().log_softmax(1).cpu()
        if not len(found):
            found = torch.full((len(lines), values.shape[1], max(steps)), -torch.inf)
        found[indices, :, : max(lengths)] = values[:, :, : max(lengths)]

    for_each_batch(reader, lines, keep, batch_size=batch_size, arithmetic=arithmetic)
    return Posteriors(found, steps)
