"""Where each character of a text is in a line: the most likely CTC alignment (Viterbi)."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pipeline.common.geometry import Windows
from pipeline.common.vocabulary import BLANK, Vocabulary
from pipeline.decoding.posteriors import Posteriors


def align_steps(
    log_probabilities: Tensor, lengths: Sequence[int], texts: Sequence[str], vocabulary: Vocabulary
) -> list[list[int]]:
    """The step of each character of each text, for log-probabilities (B, C, S) with `lengths` valid steps.

    If several steps in a row write a character, it is the one with the highest probability. A text that no alignment
    fits has no steps.
    """
    states, counts = _state_classes(texts, vocabulary)
    emissions = log_probabilities.double().gather(1, states[..., None].expand(-1, -1, log_probabilities.shape[2]))
    moves, final = _viterbi(emissions, states, lengths)
    aligned = []
    for line, (count, length) in enumerate(zip(counts, lengths, strict=True)):
        path = _backtrack(moves[:length, line], final[line], count)
        runs = [[s for s, state in enumerate(path) if state == 2 * position + 1] for position in range(count)]
        aligned.append([max(run, key=lambda s: float(emissions[line, path[s], s])) for run in runs if run])
    return aligned


def align_lines(posteriors: Posteriors, texts: Sequence[str]) -> list[list[int]]:
    """`align_steps` for many lines."""
    aligned: list[list[int]] = [[]] * len(posteriors)
    for lines, log_probabilities, lengths in posteriors.batches():
        batch = align_steps(log_probabilities, lengths, [texts[line] for line in lines], posteriors.vocabulary)
        for line, steps in zip(lines, batch, strict=True):
            aligned[line] = steps
    return aligned


def window_centers(steps: Sequence[int], windows: Windows) -> list[int]:
    """The pixel column at the center of each step's window."""
    return [step * windows.stride + windows.width // 2 for step in steps]


def _state_classes(texts: Sequence[str], vocabulary: Vocabulary) -> tuple[Tensor, list[int]]:
    """(B, states) class of each alignment state: a blank, then each character and a blank; and the text lengths."""
    counts = [len(text) for text in texts]
    states = torch.full((len(texts), 2 * max(counts, default=0) + 1), BLANK, dtype=torch.int64)
    for row, text in zip(states, texts, strict=True):
        row[1 : 2 * len(text) : 2] = torch.from_numpy(vocabulary.encode(text).astype(np.int64))
    return states, counts


def _viterbi(emissions: Tensor, states: Tensor, lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """How many states back the best predecessor is, (S, B, states), and the best score at the end of each line."""
    can_skip = torch.zeros_like(states, dtype=torch.bool)
    can_skip[:, 2:] = (states[:, 2:] != BLANK) & (states[:, 2:] != states[:, :-2])
    scores = torch.full(states.shape, -torch.inf, dtype=torch.float64)
    scores[:, :2] = emissions[:, :2, 0]
    final, moves = scores.clone(), torch.zeros((emissions.shape[2], *states.shape), dtype=torch.int64)
    ends = torch.tensor(lengths)[:, None]
    for step in range(1, emissions.shape[2]):
        next_state = torch.nn.functional.pad(scores, (1, 0), value=-torch.inf)[:, :-1]
        skipped = torch.nn.functional.pad(scores, (2, 0), value=-torch.inf)[:, :-2].masked_fill(~can_skip, -torch.inf)
        best, moves[step] = torch.stack((scores, next_state, skipped)).max(0)
        scores = best + emissions[:, :, step]
        final = torch.where(step < ends, scores, final)
    return moves, final


def _backtrack(moves: Tensor, final: Tensor, count: int) -> list[int]:
    """The state at each step; none if no alignment fits."""
    ends = [2 * count, max(0, 2 * count - 1)]
    state = max(ends, key=lambda end: float(final[end]))
    if final[state] == -torch.inf:
        return []
    path = []
    for move in reversed(moves.unbind(0)):
        path.append(state)
        state -= int(move[state])
    return path[::-1]
