"""The kernel against PyTorch's layers. That it computes what LineCNNSimple does, the model's tests say."""

import copy
from contextlib import AbstractContextManager

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from pipeline.kernels import window_cnn as module
from pipeline.kernels.window_cnn import (
    conv1_backward,
    conv1_forward,
    conv1_matrix,
    conv1_patches,
    merge_blank,
    window_features,
)

BF16, FP32, FP64 = torch.bfloat16, torch.float32, torch.float64
ERRORS = {BF16: 0, FP32: 1e-6, FP64: 1e-12}
"""In fp32 the order of sums may depend on how many windows there are."""


def layers(dtype: torch.dtype = FP32, features: int = 4) -> tuple[nn.Conv2d, nn.Conv2d]:
    torch.manual_seed(0)
    made = nn.Conv2d(1, features, 3, padding=1), nn.Conv2d(features, features, 3, padding=1)
    return tuple(conv.double() for conv in made) if dtype == FP64 else made


def pytorchs(windows: Tensor, conv1: nn.Conv2d, conv2: nn.Conv2d) -> Tensor:
    return nn.functional.max_pool2d(torch.relu(conv2(torch.relu(conv1(windows)))), 2)


def computing_in(dtype: torch.dtype) -> AbstractContextManager[object]:
    return torch.autocast("cpu", BF16, enabled=dtype == BF16)


def rand(*shape: int, dtype: torch.dtype) -> Tensor:
    return torch.rand(shape, dtype=FP64 if dtype == FP64 else FP32)


def test_it_applies_on_a_cpu_in_bf16_and_fp32() -> None:
    windows = torch.zeros(1, 28, 28)
    assert module.applies(windows)
    assert not module.applies(windows.double())
    with torch.autocast("cpu", BF16):
        assert module.applies(windows.double())
    assert not module.applies(windows.to("meta"))


@pytest.mark.parametrize("width", [28, 29, 4])
@pytest.mark.parametrize("count", [1, 5, 7])
@pytest.mark.parametrize("dtype", [BF16, FP32, FP64])
def test_values_are_pytorchs(dtype: torch.dtype, width: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 3)
    windows = rand(count, 1, 28, width, dtype=dtype)
    conv1, conv2 = layers(dtype)
    with computing_in(dtype):
        ours, theirs = window_features(windows, conv1, conv2), pytorchs(windows, conv1, conv2)
    assert ours.dtype == dtype
    torch.testing.assert_close(ours, theirs, rtol=0, atol=ERRORS[dtype])


@pytest.mark.parametrize("width", [28, 29])
@pytest.mark.parametrize(("dtype", "largest"), [(BF16, 0.02), (FP32, 1e-5), (FP64, 1e-13)])
def test_gradients_are_pytorchs(
    dtype: torch.dtype, largest: float, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 3)
    windows, slope = rand(8, 1, 28, width, dtype=dtype), torch.randn(8, 4, 14, width // 2)
    ours, theirs = nn.ModuleList(layers(dtype)), nn.ModuleList(copy.deepcopy(layers(dtype)))
    with computing_in(dtype):
        (window_features(windows, *ours) * slope).sum(dtype=FP64 if dtype == FP64 else FP32).backward()
        (pytorchs(windows, *theirs) * slope).sum(dtype=FP64 if dtype == FP64 else FP32).backward()
    for mine, reference in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert mine.grad is not None
        assert reference.grad is not None
        # Both round on the way (bf16 to 8 bits), in another order.
        error = (mine.grad - reference.grad).norm() / reference.grad.norm()
        assert float(error) < largest


@pytest.mark.parametrize("dtype", [BF16, FP32])
def test_a_tie_goes_to_the_first_pixel_and_nothing_below_zero_gets_a_gradient(dtype: torch.dtype) -> None:
    # Both convolutions are the identity, so cells of the image are cells of the pool.
    identity = nn.Conv2d(1, 1, 3, padding=1)
    with torch.no_grad():
        identity.weight.zero_()
        identity.weight[0, 0, 1, 1] = 1
        assert identity.bias is not None
        identity.bias.zero_()
    negative = copy.deepcopy(identity)
    with torch.no_grad():
        negative.bias.fill_(-2)  # of each pixel 2 is taken, so cells of at most 2 have nothing above zero
    cells = torch.tensor([[3.0, 3, 0, 0, 1, 2], [3, 1, 0, 0, 4, 4]])[None, None]
    with computing_in(dtype):
        values = window_features(cells, identity, negative)
        assert values.flatten().tolist() == [1, 0, 2]
        (values * torch.tensor([5.0, 6, 7])).float().sum().backward()
    # The pixels that were chosen are the first of their cells: 3 above on the left, 4 below on the left.
    assert negative.weight.grad is not None
    assert identity.weight.grad is not None
    assert float(negative.weight.grad[0, 0, 1, 1]) == 5 * 3 + 7 * 4
    # Their right neighbours are 3 and 4; left of the first is the edge, left of the second a 0.
    assert float(negative.weight.grad[0, 0, 1, 2]) == 5 * 3 + 7 * 4
    assert float(negative.weight.grad[0, 0, 1, 0]) == 0
    assert float(identity.weight.grad[0, 0, 1, 1]) == 5 * 3 + 7 * 4
    # The second cell, whose gradient is 6, has nothing above zero.
    assert negative.bias.grad.tolist() == [5 + 7]


@pytest.mark.parametrize("dtype", [BF16, FP32])
def test_chunks_do_not_change_a_value(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    windows, (conv1, conv2) = torch.rand(9, 1, 28, 28), layers()
    results = []
    for size in (1, 4, 100):
        monkeypatch.setattr(module, "CHUNK", size)
        with computing_in(dtype):
            results.append(window_features(windows, conv1, conv2))
    for result in results[:2]:
        torch.testing.assert_close(result, results[2], rtol=0, atol=ERRORS[dtype])


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 2**31), st.sampled_from([1, 28]))
def test_windows_with_ink_are_kept_and_blank_ones_are_merged(has_ink: list[bool], seed: int, width: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    windows = torch.zeros(len(has_ink), 28, width)
    for number in torch.tensor(has_ink, dtype=torch.bool).nonzero().flatten():
        row, column = (int(torch.randint(size, (), generator=generator)) for size in (28, width))
        windows[number, row, column] = 1 / 255  # one pixel of the faintest grey is ink
    distinct, index = merge_blank(windows)
    assert torch.equal(distinct[index], windows)
    assert len(distinct) == sum(has_ink) + 1
    assert not distinct[-1].any()


def test_the_patch_of_a_pixel_is_the_nine_around_it_and_a_one() -> None:
    patches = conv1_patches(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).view(1, 1, 2, 3))
    assert patches.shape == (10, 1, 2, 3)
    assert patches[:, 0, 0, 0].tolist() == [0, 0, 0, 0, 1, 2, 0, 4, 5, 1]
    assert patches[:, 0, 1, 1].tolist() == [1, 2, 3, 4, 5, 6, 0, 0, 0, 1]


@pytest.mark.parametrize(("count", "height", "width"), [(1, 1, 1), (2, 28, 28), (3, 28, 29), (1, 4, 7)])
@pytest.mark.parametrize(("dtype", "error"), [(FP64, 1e-12), (FP32, 1e-5), (BF16, 2**-6)])
def test_values_and_gradients_of_the_first_convolution_are_pytorchs(
    count: int, height: int, width: int, dtype: torch.dtype, error: float
) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(1, 5, 3, padding=1).to(dtype)
    images = torch.randn(count, 1, height, width, dtype=dtype)
    theirs = conv(images)
    slope = torch.randn_like(theirs)
    theirs.backward(slope)

    patches, theirs = conv1_patches(images), theirs.detach()
    ours = conv1_forward(patches, conv1_matrix(conv.weight.detach(), conv.bias.detach()))
    assert ours.is_contiguous(memory_format=torch.channels_last)
    assert (ours.shape, ours.dtype) == (theirs.shape, dtype)
    for mine, reference in zip(
        (ours, *conv1_backward(patches, slope)), (theirs, conv.weight.grad, conv.bias.grad), strict=True
    ):
        assert mine.shape == reference.shape
        assert float((mine - reference).norm() / reference.norm()) < error
