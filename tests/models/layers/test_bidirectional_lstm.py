import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from pipeline.models.layers.bidirectional_lstm import BidirectionalLSTM, reversing_index


def run_direction(lstm: nn.LSTM, steps: Tensor) -> Tensor:
    """A single layer over (S, features), by the equations of an LSTM."""
    biases = lstm.bias_ih_l0 + lstm.bias_hh_l0
    hidden = cell = torch.zeros(lstm.hidden_size).double()
    states = []
    for step in steps:
        let_in, forget, new, let_out = (lstm.weight_ih_l0 @ step + lstm.weight_hh_l0 @ hidden + biases).chunk(4)
        cell = forget.sigmoid() * cell + let_in.sigmoid() * new.tanh()
        hidden = let_out.sigmoid() * cell.tanh()
        states.append(hidden)
    return torch.stack(states)


def make(layers: int, dropout: float = 0.0) -> BidirectionalLSTM:
    torch.manual_seed(0)
    return BidirectionalLSTM(3, 4, layers, dropout).double()


def pytorchs_own(lstm: BidirectionalLSTM, layers: int) -> nn.LSTM:
    """PyTorch's bidirectional LSTM with the same weights."""
    own = nn.LSTM(3, 4, layers, batch_first=True, bidirectional=True).double()
    for layer in range(layers):
        for direction, suffix in ((lstm.forwards[layer], ""), (lstm.backwards[layer], "_reverse")):
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(own, f"{kind}_l{layer}{suffix}").data.copy_(getattr(direction, f"{kind}_l0"))
    return own


def test_without_lengths_all_steps_are_run() -> None:
    lstm, sequences = make(2).eval(), torch.randn(3, 6, 3).double()
    assert torch.equal(lstm(sequences), lstm(sequences, [6, 6, 6]))


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_it_computes_what_pytorchs_own_does_on_packed_sequences(layers: int) -> None:
    lstm, lengths = make(layers).eval(), [5, 9, 1, 7]
    own = pytorchs_own(lstm, layers)
    assert sum(p.numel() for p in lstm.parameters()) == sum(p.numel() for p in own.parameters())
    sequences = torch.randn(4, 9, 3).double()
    states = lstm(sequences, lengths)
    packed = pack_padded_sequence(sequences, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    expected, _ = pad_packed_sequence(own(packed)[0], batch_first=True)
    assert states.shape == (4, 9, 8)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(states[row, :length], expected[row, :length], rtol=0, atol=1e-12)


def test_one_layer_by_the_equations() -> None:
    lstm, lengths = make(1), [4, 6]
    sequences = torch.randn(2, 6, 3).double()
    states = lstm(sequences, lengths)
    for row, length in enumerate(lengths):
        steps = sequences[row, :length]
        ahead = run_direction(lstm.forwards[0], steps)
        behind = run_direction(lstm.backwards[0], steps.flip(0)).flip(0)
        torch.testing.assert_close(states[row, :length], torch.cat((ahead, behind), -1), rtol=0, atol=1e-12)


def test_what_stands_after_a_sequence_does_not_matter() -> None:
    lstm, sequences = make(2).eval(), torch.randn(2, 6, 3).double()
    other = sequences.clone()
    other[0, 4:] = 100
    assert torch.equal(lstm(sequences, [4, 6])[0, :4], lstm(other, [4, 6])[0, :4])
    assert not torch.equal(lstm(sequences, [6, 6])[0, :4], lstm(other, [6, 6])[0, :4])


@pytest.mark.parametrize(("layers", "random"), [(1, False), (2, True)])
def test_dropout_stands_between_layers_alone(layers: int, random: bool) -> None:
    lstm, sequences = make(layers, dropout=0.5), torch.randn(2, 6, 3).double()
    assert torch.equal(lstm(sequences, [6, 6]), lstm(sequences, [6, 6])) is not random
    lstm.eval()
    assert torch.equal(lstm(sequences, [6, 6]), lstm(sequences, [6, 6]))


def test_only_the_steps_of_a_line_turn_around() -> None:
    assert reversing_index(torch.tensor([3, 5, 1]), 5).tolist() == [[2, 1, 0, 3, 4], [4, 3, 2, 1, 0], [0, 1, 2, 3, 4]]
