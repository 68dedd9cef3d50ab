"""What a model says of many lines, kept for decoding them more than once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

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
