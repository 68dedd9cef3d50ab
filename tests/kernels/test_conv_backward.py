import itertools

import pytest
import torch
from torch import Tensor, nn

from pipeline.kernels.conv_backward import OutputMask, conv_backward

CONVS = {
    "padded": ((3, 3), (1, 1), (1, 1)),
    "strided": ((3, 3), (2, 2), (1, 1)),
    "one row, overlapping": ((4, 3), (4, 2), (0, 0)),
    "one row, with gaps": ((2, 2), (4, 3), (0, 0)),
    "one row, of all rows": ((5, 1), (5, 1), (0, 0)),
}


def autograd_backward(conv: nn.Conv2d, images: Tensor, gradient: Tensor) -> tuple[Tensor | None, ...]:
    images = images.clone().requires_grad_()
    conv(images).backward(gradient)
    return images.grad, conv.weight.grad, conv.bias.grad if conv.bias is not None else None


@pytest.mark.parametrize("output_mask", list(itertools.product((True, False), repeat=3)))
@pytest.mark.parametrize("name", CONVS)
def test_gradients_are_those_of_autograd(name: str, output_mask: OutputMask) -> None:
    kernel, stride, padding = CONVS[name]
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 5, kernel, stride, padding).double()
    # Of five rows, kernels of one row see only the first ones; no kernel reaches some columns at the right.
    images = torch.randn(4, 3, 5, 12, dtype=torch.float64).to(memory_format=torch.channels_last)
    with torch.no_grad():
        outputs = conv(images)
    assert (outputs.shape[2] == 1) == name.startswith("one row")
    gradient = torch.randn_like(outputs)
    expected = autograd_backward(conv, images, gradient)
    gradients = conv_backward(gradient, images, conv.weight.detach(), conv, output_mask)
    for ours, reference, is_wanted in zip(gradients, expected, output_mask, strict=True):
        assert (ours is not None) == is_wanted
        if is_wanted:
            torch.testing.assert_close(ours, reference, rtol=0, atol=1e-12)


def test_a_gradient_need_not_be_contiguous() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(2, 3, (2, 2), (2, 2)).double()
    images = torch.randn(2, 2, 2, 6, dtype=torch.float64)
    expanded = torch.randn(1, 3, 1, 1, dtype=torch.float64).expand(2, 3, 1, 3)
    expected = autograd_backward(conv, images, expanded)
    gradients = conv_backward(expanded, images, conv.weight.detach(), conv, (True,) * 3)
    torch.testing.assert_close(gradients, expected)
