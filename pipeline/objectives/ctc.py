"""Connectionist temporal classification: the loss sums over all alignments, the decoder takes the best one.

Source: Graves et al., "Connectionist Temporal Classification", ICML 2006.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from pipeline.common.geometry import Windows
from pipeline.common.vocabulary import BLANK, PADDING, UNKNOWN
from pipeline.decoding.greedy import best_path, collapse
from pipeline.objectives.base import Objective


class CTC(Objective):
    """CTC loss and greedy (best path) decoding."""

    cut_to_lines = True

    def lengths(self, windows: Windows, widths: Sequence[int]) -> list[int]:
        """The steps that begin on each line. Steps on the background right of it do not count."""
        return [windows.line_steps(width) for width in widths]

    def loss(self, logits: Tensor, lengths: Sequence[int], texts: Sequence[str]) -> Tensor:
        """Mean over lines of the loss per target character. A line too short for its text counts 0.

        Characters that the vocabulary lacks are left out of the targets.
        """
        targets = self.encode(texts)
        if (targets == UNKNOWN).any():
            targets = self.encode([self.vocabulary.known_part(text) for text in texts])
        return torch.nn.functional.ctc_loss(
            logits.float().log_softmax(1).permute(2, 0, 1),
            targets.to(logits.device),
            # With tuples a GPU need not wait for lengths. PyTorch accepts them, but its type hints know only tensors.
            tuple(lengths),  # type: ignore[arg-type]
            tuple((targets != PADDING).sum(1).tolist()),  # type: ignore[arg-type]
            blank=BLANK,
            zero_infinity=True,
        )

    def decode(self, logits: Tensor, lengths: Sequence[int]) -> Tensor:
        """Collapse the best path of each line: at most T classes, (B, T)."""
        return collapse(best_path(logits, lengths), self.max_length)

    def statistics(self, logits: Tensor, lengths: Sequence[int]) -> dict[str, Tensor]:
        """`blank_share`: the fraction of steps whose best class is the blank.

        It is near 1 in the first epochs, while the model has only learned that most steps are blank.
        """
        steps, non_blank = sum(lengths), (best_path(logits, lengths) != BLANK).sum()
        return {"blank_share": (steps - non_blank) / steps}


def required_steps(text: str, *, wrap: bool = False) -> int:
    """The fewest steps that CTC needs for `text`: one per character, and a blank between equal neighbours."""
    return len(text) + sum(a == b for a, b in pairwise(text)) + (2 if wrap else 0)
