"""Where a text was read: the likeliest of its CTC alignments (Viterbi)."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pipeline.common import vocabulary
from pipeline.common.geometry import Windows
from pipeline.common.vocabulary import BLANK
from pipeline.decoding.posteriors import Posteriors


def align_steps(log_probabilities: Tensor, lengths: Sequence[int], texts: Sequence[str]) -> list[list[int]]:
    """The step of each character of each text, for (B, C, S) of which `lengths` steps count.

    Of the steps in a row that write a character it is the one where the character is likeliest. A text that no
    alignment fits has no steps.
    """
    states, counts = _states(texts)
    emitted = log_probabilities.double().gather(1, states[..., None].expand(-1, -1, log_probabilities.shape[2]))
    moves, final = _forward(emitted, states, lengths)
    aligned = []
    for line, (count, length) in enumerate(zip(counts, lengths, strict=True)):
        path = _back(moves[:length, line], final[line], count)
        steps = [[s for s, state in enumerate(path) if state == 2 * place + 1] for place in range(count)]
        aligned.append([max(at, key=lambda s: float(emitted[line, path[s], s])) for at in steps if at])
    return aligned


def align_lines(posteriors: Posteriors, texts: Sequence[str]) -> list[list[int]]:
    """The same for many lines."""
    aligned: list[list[int]] = [[]] * len(posteriors)
    for lines, log_probabilities, lengths in posteriors.batches():
        steps = align_steps(log_probabilities, lengths, [texts[line] for line in lines])
        for line, found in zip(lines, steps, strict=True):
            aligned[line] = found
    return aligned


def columns_of(steps: Sequence[int], windows: Windows) -> list[int]:
    """The pixel column in the middle of each step's window."""
    return [step * windows.stride + windows.width // 2 for step in steps]


def _states(texts: Sequence[str]) -> tuple[Tensor, list[int]]:
    """Classes of the states that each text's alignments go through: a blank, and every character with a blank after."""
    counts = [len(text) for text in texts]
    states = torch.full((len(texts), 2 * max(counts, default=0) + 1), BLANK, dtype=torch.int64)
    for row, text in zip(states, texts, strict=True):
        row[1 : 2 * len(text) : 2] = torch.from_numpy(vocabulary.encode(text).astype(np.int64))
    return states, counts


def _forward(emitted: Tensor, states: Tensor, lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """How many states back each state's best predecessor is, (S, B, states), and the best score at each line's end."""
    skips = torch.zeros_like(states, dtype=torch.bool)
    skips[:, 2:] = (states[:, 2:] != BLANK) & (states[:, 2:] != states[:, :-2])
    scores = torch.full(states.shape, -torch.inf, dtype=torch.float64)
    scores[:, :2] = emitted[:, :2, 0]
    final, moves = scores.clone(), torch.zeros((emitted.shape[2], *states.shape), dtype=torch.int64)
    ends = torch.tensor(lengths)[:, None]
    for step in range(1, emitted.shape[2]):
        one = torch.nn.functional.pad(scores, (1, 0), value=-torch.inf)[:, :-1]
        two = torch.nn.functional.pad(scores, (2, 0), value=-torch.inf)[:, :-2].masked_fill(~skips, -torch.inf)
        best, moves[step] = torch.stack((scores, one, two)).max(0)
        scores = best + emitted[:, :, step]
        final = torch.where(step < ends, scores, final)
    return moves, final


def _back(moves: Tensor, final: Tensor, count: int) -> list[int]:
    """The state at each step; none where no alignment fits."""
    ends = [2 * count, max(0, 2 * count - 1)]
    state = max(ends, key=lambda end: float(final[end]))
    if final[state] == -torch.inf:
        return []
    path = []
    for move in reversed(moves.unbind(0)):
        path.append(state)
        state -= int(move[state])
    return path[::-1]
