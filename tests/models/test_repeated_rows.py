import pytest
import torch
from torch import Tensor, nn

from pipeline.models import repeated_rows
from pipeline.models.dropout import Dropout
from pipeline.models.repeated_rows import dropped_out_linear

ROWS, INPUTS, OUTPUTS = 23, 40, 6


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several chunks, the last one not full, with rows that go on from one to the next."""
    monkeypatch.setattr(repeated_rows, "CHUNK", 5)


def inputs(p: float) -> tuple[Dropout, nn.Linear, Tensor, Tensor]:
    torch.manual_seed(0)
    distinct = torch.randn(7, INPUTS).bfloat16().requires_grad_()
    which = torch.cat((torch.full((12,), 3), torch.randint(7, (ROWS - 12,))))[torch.randperm(ROWS)]
    return Dropout(p), nn.Linear(INPUTS, OUTPUTS), distinct, which


def test_without_dropout_it_is_the_layer_of_each_row() -> None:
    dropout, layer, distinct, which = inputs(0)
    weights = torch.randn(ROWS, OUTPUTS)
    (dropped_out_linear(dropout, layer, distinct, which).float() * weights).sum().backward()
    got = distinct.grad, layer.weight.grad, layer.bias.grad
    exact = distinct.detach().float().requires_grad_()
    reference = nn.Linear(INPUTS, OUTPUTS)
    reference.load_state_dict(layer.state_dict())
    (reference(exact[which]) * weights).sum().backward()
    for one, other in zip(got, (exact.grad, reference.weight.grad, reference.bias.grad), strict=True):
        assert one is not None
        assert other is not None
        torch.testing.assert_close(one.float(), other, rtol=0.05, atol=0.05 * float(other.abs().max()))


def test_every_row_has_a_mask_of_its_own_that_the_gradient_shares() -> None:
    dropout, layer, distinct, which = inputs(0.25)
    nn.init.zeros_(layer.bias)
    # Output i sees input i alone, so the outputs show which inputs were dropped.
    layer = nn.Linear(INPUTS, INPUTS, bias=True)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(INPUTS))
        layer.bias.zero_()
        distinct.fill_(1)
    outputs = dropped_out_linear(dropout, layer, distinct, which)
    kept = outputs.detach().float() > 0
    torch.testing.assert_close(outputs.detach().float(), kept / 0.75, rtol=2**-7, atol=0)
    assert len({tuple(row.tolist()) for row in kept}) == ROWS
    assert float(kept.float().mean()) == pytest.approx(0.75, abs=5 * (0.1875 / kept.numel()) ** 0.5)
    outputs.float().sum().backward()
    assert distinct.grad is not None
    expected = torch.zeros(7, INPUTS).index_add_(0, which, kept / 0.75)
    torch.testing.assert_close(distinct.grad.float(), expected, rtol=0.02, atol=0)


def test_thousands_of_equal_rows_keep_their_gradient() -> None:
    count = 4096
    distinct = torch.ones(1, 8).bfloat16().requires_grad_()
    layer = nn.Linear(8, 8)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(8))
    dropped_out_linear(Dropout(0), layer, distinct, torch.zeros(count, dtype=torch.int64)).float().sum().backward()
    assert distinct.grad is not None
    # Added up in bf16 one by one, the sum would stop at 256.
    assert distinct.grad.tolist() == [[count] * 8]


def test_the_same_seed_drops_the_same() -> None:
    dropout, layer, distinct, which = inputs(0.5)
    outputs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outputs.append(dropped_out_linear(dropout, layer, distinct, which))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])
