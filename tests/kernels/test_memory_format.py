import pytest
import torch

from pipeline.kernels.memory_format import channels_last, rounded_width


@pytest.mark.parametrize("channels", [1, 3])
def test_strides_are_channels_last(channels: int) -> None:
    images = torch.rand(2, channels, 28, 50)
    laid_out = channels_last(images)
    assert torch.equal(laid_out, images)
    assert laid_out.stride() == (28 * 50 * channels, 1, 50 * channels, channels)


def test_a_slice_gets_them_too() -> None:
    images = torch.rand(4, 1, 28, 50)[1:3, :, :, 7:30]
    laid_out = channels_last(images)
    assert torch.equal(laid_out, images)
    assert laid_out.stride() == (28 * 23, 1, 23, 1)


def test_a_convolution_with_weights_as_loaded_follows_them() -> None:
    conv = torch.nn.Conv2d(1, 5, 3, padding=1)
    assert conv(channels_last(torch.rand(2, 1, 28, 50))).stride(1) == 1


@pytest.mark.parametrize(
    ("needed", "device", "width"), [(1, "cuda", 64), (64, "cuda", 64), (65, "cuda", 128), (65, "cpu", 65)]
)
def test_a_gpu_computes_few_widths(needed: int, device: str, width: int) -> None:
    assert rounded_width(needed, torch.device(device)) == width
