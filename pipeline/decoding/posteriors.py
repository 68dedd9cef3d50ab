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
    intermediate: Tensor | None = None
    """The same from the model's intermediate logits, which know less of what words there are; where wanted."""

    def __len__(self) -> int:
        return len(self.lengths)

    def mixed(self, share: float) -> "Posteriors":
        """Probabilities to whose logarithms the intermediate ones add that `share`."""
        if not share:
            return Posteriors(self.log_probabilities, self.lengths)
        assert self.intermediate is not None
        mixed = (1 - share) * self.log_probabilities + share * self.intermediate
        # Steps after a line are -inf throughout, of which the softmax is nan.
        proper = mixed.log_softmax(1).nan_to_num(nan=-torch.inf, neginf=-torch.inf)
        return Posteriors(proper, self.lengths)

    def batches(self) -> Iterator[tuple[list[int], Tensor, list[int]]]:
        """Lines of about the same length: their numbers, log-probabilities (B, C, S), and lengths."""
        order = np.argsort(self.lengths, kind="stable")
        for start in range(0, len(order), LINES_AT_ONCE):
            lines = order[start : start + LINES_AT_ONCE].tolist()
            lengths = [self.lengths[line] for line in lines]
            yield lines, self.log_probabilities[lines, :, : max(lengths)], lengths


def compute_posteriors(
    reader: Reader, lines: Lines, *, batch_size: int, arithmetic: Arithmetic, intermediate: bool = False
) -> Posteriors:
    """Run the model over all lines, in the arithmetic in which `read_all` reads them.

    `intermediate` asks for those of the intermediate logits as well, of a model that has some.
    """
    steps = reader.objective.lengths(reader.model.windows, lines.widths.tolist())
    found: list[Tensor] = []

    def keep(indices: list[int], batch: Batch) -> None:
        by_depth, lengths = reader.logits_by_depth(batch.images, batch.widths)
        wanted = by_depth if intermediate else by_depth[-1:]
        if not found:
            size = len(lines), wanted[0].shape[1], max(steps)
            found.extend(torch.full(size, -torch.inf) for _ in wanted)
        for kept, logits in zip(found, wanted, strict=True):
            kept[indices, :, : max(lengths)] = logits.float().log_softmax(1).cpu()[:, :, : max(lengths)]

    for_each_batch(reader, lines, keep, batch_size=batch_size, arithmetic=arithmetic)
    return Posteriors(found[-1], steps, found[0] if intermediate else None)
