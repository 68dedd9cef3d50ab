import pytest
import torch

from pipeline.kernels.int_views import INTEGERS, bits_of, times_mask, where_positive

NAN, INF = float("nan"), float("inf")
DTYPES = [torch.bfloat16, torch.float32, torch.float64]


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_that_are_not_negative_are_in_the_order_of_their_bits_and_above_all_others(dtype: torch.dtype) -> None:
    ordered = torch.tensor([0, torch.finfo(dtype).tiny, 0.5, 1, 3, torch.finfo(dtype).max, INF, NAN], dtype=dtype)
    bits = bits_of(ordered).tolist()
    assert bits == sorted(set(bits))
    negative = torch.tensor([-0.0, -1, -3, -INF], dtype=dtype)
    assert max(bits_of(negative).tolist()) < min(bits) == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_mask_lets_even_what_is_no_number_pass_or_not(dtype: torch.dtype) -> None:
    values = torch.tensor([NAN, INF, -2, NAN, 5], dtype=dtype)
    mask = torch.tensor([1, 1, 1, 0, 0], dtype=INTEGERS[dtype.itemsize])
    masked = times_mask(values, mask)
    torch.testing.assert_close(masked, torch.tensor([NAN, INF, -2, 0, 0], dtype=dtype), equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_gradient_passes_where_the_rectified_number_is_above_zero(dtype: torch.dtype) -> None:
    rectified = torch.tensor([0, torch.finfo(dtype).tiny, 2, 0, INF, 0], dtype=dtype)
    gradient = torch.tensor([7, -7, 3, NAN, -INF, -0.0], dtype=dtype)
    expected = [0, -7, 3, 0, -INF, 0]
    assert where_positive(gradient, rectified).tolist() == expected
    out = torch.full_like(gradient, 9)
    assert where_positive(gradient, rectified, out) is out
    assert out.tolist() == expected
    assert where_positive(gradient, rectified, gradient).tolist() == expected  # in place


def test_a_gradient_may_lie_in_memory_in_any_order() -> None:
    rectified, gradient = torch.rand(2, 3, 4, 5) - 0.5, torch.randn(2, 1, 4, 5).expand(2, 3, 4, 5)
    passed = where_positive(gradient, rectified.relu().contiguous(memory_format=torch.channels_last))
    assert torch.equal(passed, gradient.where(rectified > 0, torch.zeros(())))
