"""Connectionist temporal classification: the loss sums over all alignments, the decoder takes the best one.

Source: Graves et al., "Connectionist Temporal Classification", ICML 2006.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from pipeline.geometry import Windows
from pipeline.objectives.base import Objective
from pipeline.vocabulary import BLANK, PADDING


class CTC(Objective):
    """CTC loss and greedy (best path) decoding."""

    cut_to_lines = True

    def lengths(self, windows: Windows, widths: Sequence[int]) -> list[int]:
        """The steps that begin on each line; the blank paper after it takes no part."""
        return [windows.steps_of_line(width) for width in widths]

    def loss(self, logits: Tensor, lengths: Sequence[int], texts: Sequence[str]) -> Tensor:
        """Mean over lines of the loss per target character; a line that no alignment fits counts 0."""
        targets = self.encode(texts)
        return torch.nn.functional.ctc_loss(
            logits.float().log_softmax(1).permute(2, 0, 1),
            targets.to(logits.device),
            torch.tensor(lengths),
            (targets != PADDING).sum(1),
            blank=BLANK,
            zero_infinity=True,
        )

    def decode(self, logits: Tensor, lengths: Sequence[int]) -> Tensor:
        """Best class of each step, repeats collapsed, then blanks dropped; at most T classes, (B, T)."""
        return collapse(logits.argmax(1), lengths, self.max_length)

    def statistics(self, logits: Tensor, lengths: Sequence[int]) -> dict[str, Tensor]:
        """`blank_share`: the share of steps whose best class is the blank.

        It is near 1 for the first epochs, while the model has only learned that most steps are blank.
        """
        counted = counted_steps(logits, lengths)
        return {"blank_share": ((logits.argmax(1) == BLANK) & counted).sum() / counted.sum()}


def collapse(path: Tensor, lengths: Sequence[int], max_length: int) -> Tensor:
    """Class indices (B, S) of a path to those of its reading, (B, `max_length`), padded with `<P>`."""
    counted = counted_steps(path, lengths)
    differs = torch.ones_like(counted)
    differs[:, 1:] = path[:, 1:] != path[:, :-1]
    kept = counted & differs & (path != BLANK)
    place = kept.cumsum(1) - 1
    kept &= place < max_length
    rows, steps = kept.nonzero(as_tuple=True)
    reading = torch.full((len(path), max_length), PADDING, dtype=path.dtype, device=path.device)
    reading[rows, place[rows, steps]] = path[rows, steps]
    return reading


def counted_steps(steps: Tensor, lengths: Sequence[int]) -> Tensor:
    """(B, S) bool: which steps of (B, ..., S) belong to their line."""
    numbers = torch.arange(steps.shape[-1], device=steps.device)
    return numbers < torch.tensor(lengths, device=steps.device)[:, None]


def required_steps(text: str, *, wrap: bool = False) -> int:
    """The fewest steps in which CTC can write `text`: its length, and a blank between equal neighbours."""
    return len(text) + sum(a == b for a, b in pairwise(text)) + (2 if wrap else 0)
