import pytest
import torch

from pipeline.kernels.int_views import INT_DTYPES, apply_mask, as_integers, compute_dtype, relu_backward

NAN, INF = float("nan"), float("inf")
DTYPES = [torch.bfloat16, torch.float32, torch.float64]


def test_autocast_decides_the_dtype_where_it_is_on() -> None:
    values = torch.zeros(1, dtype=torch.float64)
    assert compute_dtype(values) == torch.float64
    with torch.autocast("cpu", torch.bfloat16):
        assert compute_dtype(values) == torch.bfloat16
        with torch.autocast("cpu", enabled=False):
            assert compute_dtype(values) == torch.float64


@pytest.mark.parametrize("dtype", DTYPES)
def test_non_negative_numbers_keep_their_order_as_integers_above_all_others(dtype: torch.dtype) -> None:
    ordered = torch.tensor([0, torch.finfo(dtype).tiny, 0.5, 1, 3, torch.finfo(dtype).max, INF, NAN], dtype=dtype)
    bits = as_integers(ordered).tolist()
    assert bits == sorted(set(bits))
    negative = torch.tensor([-0.0, -1, -3, -INF], dtype=dtype)
    assert max(as_integers(negative).tolist()) < min(bits) == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_mask_keeps_or_zeroes_even_nan(dtype: torch.dtype) -> None:
    values = torch.tensor([NAN, INF, -2, NAN, 5], dtype=dtype)
    mask = torch.tensor([1, 1, 1, 0, 0], dtype=INT_DTYPES[dtype.itemsize])
    masked = apply_mask(values, mask)
    torch.testing.assert_close(masked, torch.tensor([NAN, INF, -2, 0, 0], dtype=dtype), equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_gradient_passes_where_the_output_is_positive(dtype: torch.dtype) -> None:
    output = torch.tensor([0, torch.finfo(dtype).tiny, 2, 0, INF, 0], dtype=dtype)
    gradient = torch.tensor([7, -7, 3, NAN, -INF, -0.0], dtype=dtype)
    expected = [0, -7, 3, 0, -INF, 0]
    assert relu_backward(gradient, output).tolist() == expected
    out = torch.full_like(gradient, 9)
    assert relu_backward(gradient, output, out) is out
    assert out.tolist() == expected
    assert relu_backward(gradient, output, gradient).tolist() == expected  # in place


def test_a_gradient_may_have_any_strides() -> None:
    output, gradient = torch.rand(2, 3, 4, 5) - 0.5, torch.randn(2, 1, 4, 5).expand(2, 3, 4, 5)
    passed = relu_backward(gradient, output.relu().contiguous(memory_format=torch.channels_last))
    assert torch.equal(passed, gradient.where(output > 0, torch.zeros(())))
