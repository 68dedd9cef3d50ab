"""A model's log-probabilities for many lines, kept so that they can be decoded more than once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.common.vocabulary import Vocabulary

BATCH_SIZE = 128


@dataclass(frozen=True)
class Posteriors:
    """Log-probabilities (N, C, S) float32 on the CPU, and the number of valid steps of each of the N lines."""

    log_probabilities: Tensor
    lengths: list[int]
    vocabulary: Vocabulary
    """Names the C classes."""
    intermediate: Tensor | None = None
    """The same from the model's intermediate logits, if requested. They carry less implicit language model."""

    def __len__(self) -> int:
        return len(self.lengths)

    def interpolate(self, weight: float) -> "Posteriors":
        """Interpolate final and intermediate log-probabilities, then renormalize.

        `weight` is that of the intermediate ones, 0 to 1.
        """
        if not weight:
            return Posteriors(self.log_probabilities, self.lengths, self.vocabulary)
        assert self.intermediate is not None
        mixed = (1 - weight) * self.log_probabilities + weight * self.intermediate
        # The steps after a line are all -inf, where log_softmax gives nan.
        normalized = mixed.log_softmax(1).nan_to_num(nan=-torch.inf, neginf=-torch.inf)
        return Posteriors(normalized, self.lengths, self.vocabulary)

    def batches(self) -> Iterator[tuple[list[int], Tensor, list[int]]]:
        """Yield lines of similar length: their indices, log-probabilities (B, C, S), and lengths."""
        order = np.argsort(self.lengths, kind="stable")
        for start in range(0, len(order), BATCH_SIZE):
            lines = order[start : start + BATCH_SIZE].tolist()
            lengths = [self.lengths[line] for line in lines]
            yield lines, self.log_probabilities[lines, :, : max(lengths)], lengths
