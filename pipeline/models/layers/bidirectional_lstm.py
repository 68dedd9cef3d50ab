"""A bidirectional LSTM over sequences of different lengths."""

import torch
from torch import Tensor, nn

from pipeline.kernels import lstm_layer
from pipeline.kernels.dropout import Dropout
from pipeline.models.layers.lengths import Lengths, lengths_on


class BidirectionalLSTM(nn.Module):
    """Stacked bidirectional layers: (B, S, features) to (B, S, 2 * hidden), forward direction first.

    Computes the same as `nn.LSTM` on packed sequences, with as many parameters. A CPU runs packed sequences step by
    step, at half the speed. So each direction is its own LSTM, and the backward one gets each sequence reversed within
    its own length.
    """

    def __init__(self, features: int, hidden: int, layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        sizes = [features] + [2 * hidden] * (layers - 1)
        self.forwards = nn.ModuleList(nn.LSTM(size, hidden, batch_first=True) for size in sizes)
        self.backwards = nn.ModuleList(nn.LSTM(size, hidden, batch_first=True) for size in sizes)
        self.dropout = Dropout(dropout)

    def forward(self, sequences: Tensor, lengths: Lengths | None = None) -> Tensor:
        """Run both directions over the first `lengths` steps, or over all; steps after them have no meaning."""
        ends = [sequences.shape[1]] * len(sequences) if lengths is None else lengths
        reverse = reversing_index(lengths_on(ends, sequences.device), sequences.shape[1])
        x = sequences
        for layer, (forwards, backwards) in enumerate(zip(self.forwards, self.backwards, strict=True)):
            x = self.dropout(x) if layer else x
            ahead = _run(forwards, x)
            behind = _gather_steps(_run(backwards, _gather_steps(x, reverse)), reverse)
            x = torch.cat((ahead, behind), dim=-1)
        return x


def _run(lstm: nn.Module, sequences: Tensor) -> Tensor:
    """The hidden states of one direction."""
    assert isinstance(lstm, nn.LSTM)
    if lstm_layer.applies(sequences):
        return lstm_layer.run(lstm, sequences)  # the same function, faster
    states: Tensor = lstm(sequences)[0]
    return states


def _gather_steps(states: Tensor, steps: Tensor) -> Tensor:
    """(B, S, F) with each line's steps in the order `steps` (B, S); copies whole rows, unlike `take_along_dim`."""
    lines = torch.arange(len(steps), device=steps.device)[:, None] * steps.shape[1]
    return states.flatten(0, 1).index_select(0, (steps + lines).flatten()).view_as(states)


def reversing_index(lengths: Tensor, steps: int) -> Tensor:
    """(B, S) int64: the order of steps that reverses the first `lengths` steps of each line."""
    places = torch.arange(steps, device=lengths.device).expand(len(lengths), -1)
    ends = lengths[:, None]
    return torch.where(places < ends, ends - 1 - places, places)
