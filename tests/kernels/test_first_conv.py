import pytest
import torch
from torch import nn

from pipeline.kernels.first_conv import convolve, gradients_of, taps_of, weights_and_bias

SIZES = [(1, 1, 1), (2, 28, 28), (3, 28, 29), (1, 4, 7)]


def test_the_taps_of_a_pixel_are_the_nine_around_it_and_a_one() -> None:
    taps = taps_of(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).view(1, 1, 2, 3))
    assert taps.shape == (10, 1, 2, 3)
    assert taps[:, 0, 0, 0].tolist() == [0, 0, 0, 0, 1, 2, 0, 4, 5, 1]
    assert taps[:, 0, 1, 1].tolist() == [1, 2, 3, 4, 5, 6, 0, 0, 0, 1]


@pytest.mark.parametrize(("count", "height", "width"), SIZES)
@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 2**-6)])
def test_values_and_gradients_are_those_of_a_convolution(
    count: int, height: int, width: int, dtype: torch.dtype, error: float
) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(1, 5, 3, padding=1).to(dtype)
    images = torch.randn(count, 1, height, width, dtype=dtype)
    theirs = conv(images)
    slope = torch.randn_like(theirs)
    theirs.backward(slope)

    taps, theirs = taps_of(images), theirs.detach()
    ours = convolve(taps, weights_and_bias(conv.weight.detach(), conv.bias.detach()))
    assert ours.is_contiguous(memory_format=torch.channels_last)
    assert (ours.shape, ours.dtype) == (theirs.shape, dtype)
    for mine, reference in zip(
        (ours, *gradients_of(taps, slope)), (theirs, conv.weight.grad, conv.bias.grad), strict=True
    ):
        assert mine.shape == reference.shape
        assert float((mine - reference).norm() / reference.norm()) < error
