"""Greedy CTC decoding: the best path, then collapsed (Graves et al., "Connectionist Temporal Classification", 2006)."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pipeline.common.vocabulary import BLANK, PADDING


def best_path(logits: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
    """The most probable class of each step, the first one if there are ties: (B, S) int64 for logits (B, C, S).

    With `lengths`, the steps after each line are blank.
    """
    if logits.device.type == "cpu":
        # NumPy's argmax takes a tenth of the time of PyTorch's. It does not know bf16; float32 has all of its values.
        values = logits.detach().float() if logits.dtype == torch.bfloat16 else logits.detach()
        path = torch.from_numpy(values.numpy().argmax(1))
    else:
        path = logits.argmax(1)
    return path if lengths is None else path.where(valid_steps(path.shape[1], lengths).to(path.device), BLANK)


def valid_steps(steps: int, lengths: Sequence[int]) -> Tensor:
    """(B, `steps`) bool: whether a step belongs to its line."""
    return torch.arange(steps) < torch.tensor(lengths)[:, None]


def collapse(paths: Tensor, max_length: int) -> Tensor:
    """Merge repeated classes of paths (B, S), then drop blanks.

    Steps that do not count must be blank. Returns (B, `max_length`) int64 on the CPU, padded with `<P>`.
    """
    # NumPy, because PyTorch's threads do not help with such small arrays, and wait for one another on busy cores.
    classes = paths.cpu().numpy()
    kept = classes != BLANK
    kept[:, 1:] &= classes[:, 1:] != classes[:, :-1]
    kept &= kept.cumsum(1) <= max_length
    collapsed = np.full((len(classes), max_length), PADDING, dtype=np.int64)
    collapsed[np.arange(max_length) < kept.sum(1, keepdims=True)] = classes[kept]
    return torch.from_numpy(collapsed)
