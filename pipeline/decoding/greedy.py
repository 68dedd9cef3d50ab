"""The best class of each step of many lines."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

STEPS_AT_ONCE = 2048
"""What is searched at once: its logits stay in the processor's second cache between being picked and being searched."""
STEPS_OF_A_THREAD = 8192
"""What is worth a thread; smaller batches need no second one."""


def best_path(logits: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
    """The best class of each step, the first of equals: (B, S) int64 for logits (B, C, S), on their device.

    With `lengths` only so many steps of each line are looked at, and class 0 stands after them. On a CPU it is NumPy's
    search, which takes a fifth of the time of PyTorch's where the logits of a step lie side by side in memory, as all
    models leave them.
    """
    batch, classes, steps = logits.shape
    counted = None if lengths is None else counted_steps(steps, lengths)
    if logits.device.type != "cpu":
        best = logits.argmax(1)
        return best if counted is None else best * torch.from_numpy(counted).to(logits.device)
    # NumPy has no bf16; float32 has all of its values.
    values = logits.detach().float() if logits.dtype == torch.bfloat16 else logits.detach()
    scores = values.transpose(1, 2).reshape(-1, classes).numpy()
    path = np.zeros(batch * steps, dtype=np.int64)
    # All steps would take longer than to put side by side those that count: two of five among lines of all widths.
    places = np.arange(len(path)) if counted is None else np.flatnonzero(counted)
    own, *others = np.array_split(places, min(torch.get_num_threads(), 1 + len(places) // STEPS_OF_A_THREAD))
    with ThreadPoolExecutor(max(1, len(others))) as threads:
        # This thread takes a part itself: to wait for one more to start takes as long as a quarter of the work.
        searches = [threads.submit(_search, scores, part, path) for part in others]
        _search(scores, own, path)
    for search in searches:
        search.result()
    return torch.from_numpy(path.reshape(batch, steps))


def _search(scores: NDArray[np.floating], places: NDArray[np.intp], path: NDArray[np.int64]) -> None:
    """The best class of scores (B * S, C) at some of their steps, written to `path` (B * S)."""
    picked = np.empty((min(STEPS_AT_ONCE, len(places)), scores.shape[1]), scores.dtype)
    for start in range(0, len(places), STEPS_AT_ONCE):
        part = places[start : start + STEPS_AT_ONCE]
        # `clip` for speed alone: whoever asks for an error at wrong places gets a copy more.
        np.take(scores, part, axis=0, out=picked[: len(part)], mode="clip")
        path[part] = picked[: len(part)].argmax(1)


def counted_steps(steps: int, lengths: Sequence[int]) -> NDArray[np.bool_]:
    """(B, `steps`): which steps belong to their line."""
    return np.arange(steps) < np.asarray(lengths)[:, None]
