import pytest
import torch
from torch import Tensor, nn

from pipeline.kernels import lstm_layer


def make(dtype: torch.dtype) -> tuple[nn.LSTM, Tensor]:
    torch.manual_seed(0)
    return nn.LSTM(5, 6, batch_first=True).to(dtype), torch.randn(3, 7, 5).to(dtype)


def backward(lstm: nn.LSTM, states: Tensor) -> list[Tensor]:
    slope = torch.linspace(-1, 2, states.numel(), dtype=states.dtype).view_as(states)
    return list(torch.autograd.grad((states * slope).sum(), list(lstm.parameters())))


def test_it_applies_to_an_odd_number_of_features_on_a_cpu() -> None:
    assert lstm_layer.applies(torch.zeros(2, 3, 5))
    assert not lstm_layer.applies(torch.zeros(2, 3, 4))
    assert not lstm_layer.applies(torch.zeros(2, 3, 5, device="meta"))


@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_states_and_gradients_are_pytorchs(dtype: torch.dtype, error: float) -> None:
    lstm, sequences = make(dtype)
    ours, theirs = lstm_layer.run(lstm, sequences), lstm(sequences)[0]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=error)
    torch.testing.assert_close(backward(lstm, ours), backward(lstm, theirs), rtol=0, atol=10 * error)


def test_bf16_by_autocast_is_pytorchs_too() -> None:
    lstm, sequences = make(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = lstm_layer.run(lstm, sequences), lstm(sequences)[0]
    assert ours.dtype == theirs.dtype
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2**-7)
