"""A bidirectional LSTM over sequences of unequal length."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pipeline.models.dropout import Dropout


class BidirectionalLSTM(nn.Module):
    """Stacked bidirectional layers, (B, S, features) to (B, S, 2 * hidden), forward direction first.

    Computes what `nn.LSTM` computes on packed sequences, and has as many parameters. Each direction is
    an LSTM of its own, and the backward one gets every sequence reversed within its own length: packed
    sequences are run step by step on a CPU, at half the speed.
    """

    def __init__(self, features: int, hidden: int, layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        sizes = [features] + [2 * hidden] * (layers - 1)
        self.forwards = nn.ModuleList(nn.LSTM(size, hidden, batch_first=True) for size in sizes)
        self.backwards = nn.ModuleList(nn.LSTM(size, hidden, batch_first=True) for size in sizes)
        self.dropout = Dropout(dropout)

    def forward(self, sequences: Tensor, lengths: Sequence[int]) -> Tensor:
        """Run both directions over the first `lengths` steps; the steps after them mean nothing."""
        reverse = reversing_index(lengths, sequences.shape[1]).to(sequences.device).unsqueeze(-1)
        states = sequences
        for layer, (forwards, backwards) in enumerate(zip(self.forwards, self.backwards, strict=True)):
            inputs = self.dropout(states) if layer else states
            ahead, _ = forwards(inputs)
            behind, _ = backwards(inputs.take_along_dim(reverse, dim=1))
            states = torch.cat((ahead, behind.take_along_dim(reverse, dim=1)), dim=-1)
        return states


def reversing_index(lengths: Sequence[int], steps: int) -> Tensor:
    """(B, S) int64: which step takes each place when the first `lengths` steps of a line turn around."""
    places = torch.arange(steps).expand(len(lengths), -1)
    ends = torch.tensor(lengths)[:, None]
    return torch.where(places < ends, ends - 1 - places, places)
