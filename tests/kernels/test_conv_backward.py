import itertools

import pytest
import torch
from torch import Tensor, nn

from pipeline.kernels.conv_backward import Wanted, gradients_of_conv

CONVS = {
    "padded": ((3, 3), (1, 1), (1, 1)),
    "halving": ((3, 3), (2, 2), (1, 1)),
    "windows that overlap": ((4, 3), (4, 2), (0, 0)),
    "windows that leave gaps": ((2, 2), (4, 3), (0, 0)),
    "windows of all rows": ((5, 1), (5, 1), (0, 0)),
}


def by_autograd(conv: nn.Conv2d, images: Tensor, gradient: Tensor) -> tuple[Tensor | None, ...]:
    images = images.clone().requires_grad_()
    conv(images).backward(gradient)
    return images.grad, conv.weight.grad, conv.bias.grad if conv.bias is not None else None


@pytest.mark.parametrize("wanted", list(itertools.product((True, False), repeat=3)))
@pytest.mark.parametrize("name", CONVS)
def test_they_are_autograds_where_they_are_wanted(name: str, wanted: Wanted) -> None:
    kernel, stride, padding = CONVS[name]
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 5, kernel, stride, padding).double()
    # Rows of which windows see one band alone, and columns at the right that no window reaches.
    images = torch.randn(4, 3, 5, 12, dtype=torch.float64).to(memory_format=torch.channels_last)
    with torch.no_grad():
        products = conv(images)
    assert (products.shape[2] == 1) == name.startswith("windows")
    gradient = torch.randn_like(products)
    expected = by_autograd(conv, images, gradient)
    found = gradients_of_conv(gradient, images, conv.weight.detach(), conv, wanted)
    for mine, reference, is_wanted in zip(found, expected, wanted, strict=True):
        assert (mine is not None) == is_wanted
        if is_wanted:
            torch.testing.assert_close(mine, reference, rtol=0, atol=1e-12)


def test_a_gradient_that_is_no_block_of_memory_will_do() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(2, 3, (2, 2), (2, 2)).double()
    images = torch.randn(2, 2, 2, 6, dtype=torch.float64)
    same = torch.randn(1, 3, 1, 1, dtype=torch.float64).expand(2, 3, 1, 3)
    expected = by_autograd(conv, images, same)
    torch.testing.assert_close(gradients_of_conv(same, images, conv.weight.detach(), conv, (True,) * 3), expected)
