"""A bidirectional LSTM over sequences of unequal length."""

import torch
from torch import Tensor, nn

from pipeline.kernels.dropout import Dropout
from pipeline.models.layers.lengths import Lengths, lengths_on


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

    def forward(self, sequences: Tensor, lengths: Lengths | None = None) -> Tensor:
        """Run both directions over the first `lengths` steps, or over all; the steps after them mean nothing."""
        ends = [sequences.shape[1]] * len(sequences) if lengths is None else lengths
        reverse = reversing_index(lengths_on(ends, sequences.device), sequences.shape[1])
        states = sequences
        for layer, (forwards, backwards) in enumerate(zip(self.forwards, self.backwards, strict=True)):
            inputs = self.dropout(states) if layer else states
            ahead = _run(forwards, inputs)
            behind = _take(_run(backwards, _take(inputs, reverse)), reverse)
            states = torch.cat((ahead, behind), dim=-1)
        return states


def _run(lstm: nn.Module, sequences: Tensor) -> Tensor:
    """The states of one direction.

    With an odd number of features, oneDNN multiplies bf16 at a quarter of its speed; a column of zeros helps.
    """
    assert isinstance(lstm, nn.LSTM)
    states: Tensor
    if sequences.is_cuda:
        states, _ = lstm(sequences)  # whose weights lie side by side, as cuDNN wants them
        return states
    weights, recurrent, *biases = lstm.parameters()
    odd = sequences.shape[-1] % 2
    start = sequences.new_zeros((1, len(sequences), lstm.hidden_size))
    states, _, _ = torch.lstm(
        nn.functional.pad(sequences, (0, odd)),
        (start, start),
        [nn.functional.pad(weights, (0, odd)), recurrent, *biases],
        has_biases=True,
        num_layers=1,
        dropout=0.0,
        train=lstm.training,
        bidirectional=False,
        batch_first=True,
    )
    return states


def _take(states: Tensor, steps: Tensor) -> Tensor:
    """(B, S, F) with each line's steps in the order (B, S); whole rows at once, unlike `take_along_dim`."""
    lines = torch.arange(len(steps), device=steps.device)[:, None] * steps.shape[1]
    return states.flatten(0, 1).index_select(0, (steps + lines).flatten()).view_as(states)


def reversing_index(lengths: Tensor, steps: int) -> Tensor:
    """(B, S) int64: which step takes each place when the first `lengths` steps of a line turn around."""
    places = torch.arange(steps, device=lengths.device).expand(len(lengths), -1)
    ends = lengths[:, None]
    return torch.where(places < ends, ends - 1 - places, places)
