import pytest
import torch
from torch import nn

from pipeline.kernels.max_pool import max_pool_backward, max_pool_relu


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("size", [(4, 6), (5, 6), (4, 7), (2, 2)])
def test_values_and_gradients_are_pytorchs(size: tuple[int, int], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    values = torch.randint(-3, 4, (2, *size, 3)).to(dtype).requires_grad_()  # many equal pixels
    expected = nn.functional.max_pool2d(values.permute(0, 3, 1, 2).relu(), 2).permute(0, 2, 3, 1)
    gradient = torch.randn(expected.shape).to(dtype)
    (expected_gradient,) = torch.autograd.grad(expected, values, gradient)
    pooled = torch.empty(expected.shape, dtype=dtype)
    argmax = max_pool_relu(values.detach(), pooled)
    assert torch.equal(pooled, expected)
    made = max_pool_backward(gradient.where(pooled > 0, torch.zeros((), dtype=dtype)), argmax, torch.Size(size))
    assert torch.equal(made, expected_gradient)
