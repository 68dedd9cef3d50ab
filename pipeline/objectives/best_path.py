"""The best class of each step of many lines."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pipeline.vocabulary import BLANK


def best_path(logits: Tensor, lengths: Sequence[int]) -> Tensor:
    """The best class of each step that counts, the first of equals; after those, any class.

    (B, S) int64 for logits (B, C, S), on their device. On a CPU it is NumPy's search, which takes a fifth of the
    time of PyTorch's where the logits of a step lie side by side in memory, as all models leave them.
    """
    if logits.device.type != "cpu":
        return logits.argmax(1)
    # NumPy has no bf16; float32 has all of its values.
    scores = logits.detach().float() if logits.dtype == torch.bfloat16 else logits.detach()
    path = np.full((len(logits), logits.shape[2]), BLANK)
    for best, line, steps in zip(path, scores.transpose(1, 2).numpy(), lengths, strict=True):
        line[:steps].argmax(1, out=best[:steps])
    return torch.from_numpy(path)
