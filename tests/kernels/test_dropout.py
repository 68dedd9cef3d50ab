import pytest
import torch

from pipeline.kernels.dropout import Dropout


@pytest.mark.parametrize("p", [0.0, 0.2, 0.25, 0.5, 0.9])
def test_values_are_dropped_with_the_given_probability_and_the_others_scaled(p: float) -> None:
    torch.manual_seed(0)
    count = 200_000
    values = Dropout(p)(torch.ones(count))
    dropped = float((values == 0).float().mean())
    assert dropped == pytest.approx(p, abs=5 * (p * (1 - p) / count) ** 0.5)
    kept = values[values != 0]
    # The probability is rounded to a multiple of 1/32768.
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - p)), rtol=2**-15 / (1 - p), atol=0)


@pytest.mark.parametrize(("p", "values_per_number"), [(0.5, 15), (0.25, 7), (0.125, 5), (0.2, 1)])
def test_values_are_dropped_independently_even_those_of_one_random_number(p: float, values_per_number: int) -> None:
    torch.manual_seed(0)
    count = 100_000
    dropped = (Dropout(p)(torch.ones(count)) == 0).float()
    numbers = -(-count // values_per_number)
    for distance in (1, 2, 3, 4, 5, 8, *(numbers * i for i in range(1, values_per_number))):
        both = float((dropped[distance:] * dropped[:-distance]).mean())
        assert both == pytest.approx(p**2, abs=5 * p / (count - distance) ** 0.5)


@pytest.mark.parametrize("shape", [(0,), (1,), (5,), (3, 7), (2, 3, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_shape_and_dtype_stay(shape: tuple[int, ...], dtype: torch.dtype) -> None:
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


def test_every_call_and_seed_draws_again() -> None:
    layer, ones = Dropout(0.5), torch.ones(100)
    torch.manual_seed(0)
    first, second = layer(ones), layer(ones)
    torch.manual_seed(0)
    assert torch.equal(layer(ones), first)
    assert not torch.equal(first, second)


def test_it_acts_in_training_only() -> None:
    values = torch.rand(100)
    assert torch.equal(Dropout(0.5).eval()(values), values)
