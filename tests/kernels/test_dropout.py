import pytest
import torch
from torch import nn

from pipeline.kernels.dropout import Dropout


@pytest.mark.parametrize("p", [0.0, 0.2, 0.25, 0.5, 0.9])
def test_the_asked_share_is_dropped_and_the_rest_scaled(p: float) -> None:
    torch.manual_seed(0)
    count = 200_000
    values = Dropout(p)(torch.ones(count))
    share = float((values == 0).float().mean())
    assert share == pytest.approx(p, abs=5 * (p * (1 - p) / count) ** 0.5)
    kept = values[values != 0]
    # The probability is rounded to a multiple of 1/32768.
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - p)), rtol=2**-15 / (1 - p), atol=0)


@pytest.mark.parametrize(("p", "shared"), [(0.5, 15), (0.25, 7), (0.125, 5), (0.2, 1)])
def test_values_are_dropped_independently_also_those_that_share_a_draw(p: float, shared: int) -> None:
    torch.manual_seed(0)
    count = 100_000
    dropped = (Dropout(p)(torch.ones(count)) == 0).float()
    draws = -(-count // shared)
    for distance in (1, 2, 3, 4, 5, 8, *(draws * i for i in range(1, shared))):
        both = float((dropped[distance:] * dropped[:-distance]).mean())
        assert both == pytest.approx(p**2, abs=5 * p / (count - distance) ** 0.5)


@pytest.mark.parametrize("shape", [(0,), (1,), (5,), (3, 7), (2, 3, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_shape_and_type_stay(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    values = Dropout(0.5)(torch.ones(shape, dtype=dtype))
    assert (values.shape, values.dtype) == (shape, dtype)
    assert set(values.flatten().tolist()) <= {0.0, 2.0}


def test_the_gradient_passes_where_a_value_did() -> None:
    torch.manual_seed(0)
    values = torch.rand(1000, requires_grad=True)
    dropped = Dropout(0.25)(values)
    dropped.sum().backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad, (dropped.detach() != 0) / 0.75)


def test_every_call_and_seed_draws_anew() -> None:
    layer, ones = Dropout(0.5), torch.ones(100)
    torch.manual_seed(0)
    first, second = layer(ones), layer(ones)
    torch.manual_seed(0)
    assert torch.equal(layer(ones), first)
    assert not torch.equal(first, second)


def test_it_acts_in_training_only() -> None:
    values = torch.rand(100)
    assert torch.equal(Dropout(0.5).eval()(values), values)


@pytest.mark.parametrize("training", [True, False])
def test_dropout_before_a_layer_is_dropout_and_then_the_layer(training: bool) -> None:
    torch.manual_seed(0)
    dropout, layer = Dropout(0.25).train(training), nn.Linear(6, 3).double()
    values = torch.randn(4, 5, 6).double().requires_grad_()
    results = []
    for compute in (lambda: dropout.before(layer, values), lambda: layer(dropout(values))):
        torch.manual_seed(1)
        layer.zero_grad()
        values.grad = None
        outputs = compute()
        outputs.square().sum().backward()
        assert values.grad is not None
        assert layer.weight.grad is not None
        results.append((outputs.detach(), values.grad.clone(), layer.weight.grad.clone()))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    assert bool((results[0][1] == 0).any()) is training
