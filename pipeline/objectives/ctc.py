"""Connectionist temporal classification: the loss sums over all alignments, the decoder takes the best one.

Source: Graves et al., "Connectionist Temporal Classification", ICML 2006.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from pipeline.common.geometry import Windows
from pipeline.common.vocabulary import BLANK, PADDING
from pipeline.decoding.greedy import best_path
from pipeline.objectives.base import Objective


class CTC(Objective):
    """CTC loss and greedy (best path) decoding."""

    cut_to_lines = True

    def lengths(self, windows: Windows, widths: Sequence[int]) -> list[int]:
        """The steps that begin on each line; the blank paper after it takes no part."""
        return [windows.line_steps(width) for width in widths]

    def loss(self, logits: Tensor, lengths: Sequence[int], texts: Sequence[str]) -> Tensor:
        """Mean over lines of the loss per target character; a line that no alignment fits counts 0."""
        targets = self.encode(texts)
        return torch.nn.functional.ctc_loss(
            logits.float().log_softmax(1).permute(2, 0, 1),
            targets.to(logits.device),
            # Numbers, which nothing waits for; PyTorch's own types know tensors only.
            tuple(lengths),  # type: ignore[arg-type]
            tuple((targets != PADDING).sum(1).tolist()),  # type: ignore[arg-type]
            blank=BLANK,
            zero_infinity=True,
        )

    def decode(self, logits: Tensor, lengths: Sequence[int]) -> Tensor:
        """Best class of each step, repeats collapsed, then blanks dropped; at most T classes, (B, T)."""
        return collapse(best_path(logits, lengths), self.max_length)

    def statistics(self, logits: Tensor, lengths: Sequence[int]) -> dict[str, Tensor]:
        """`blank_share`: the share of steps whose best class is the blank.

        It is near 1 for the first epochs, while the model has only learned that most steps are blank.
        """
        steps, written = sum(lengths), (best_path(logits, lengths) != BLANK).sum()
        return {"blank_share": (steps - written) / steps}


def collapse(path: Tensor, max_length: int) -> Tensor:
    """Class indices (B, S) of a path to those of its reading, (B, `max_length`) int64 on the CPU, padded with `<P>`.

    What stands after a line's own steps must be blank.
    """
    # NumPy, as these small steps gain nothing from PyTorch's threads, and wait for them where cores are busy.
    classes = path.cpu().numpy().astype(np.uint8)
    kept = classes != BLANK
    kept[:, 1:] &= classes[:, 1:] != classes[:, :-1]
    written = np.count_nonzero(kept, axis=1)
    if written.max(initial=0) > max_length:
        kept &= kept.cumsum(1) <= max_length
    reading = np.full((len(classes), max_length), PADDING, dtype=np.int64)
    # Numbers of elements, as a mask without a pattern takes three times as long to pick by.
    reading[np.arange(max_length) < written[:, None]] = classes.ravel()[np.flatnonzero(kept)]
    return torch.from_numpy(reading)


def required_steps(text: str, *, wrap: bool = False) -> int:
    """The fewest steps in which CTC can write `text`: its length, and a blank between equal neighbours."""
    return len(text) + sum(a == b for a, b in pairwise(text)) + (2 if wrap else 0)
