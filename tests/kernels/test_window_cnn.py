import copy
from contextlib import AbstractContextManager

import pytest
import torch
from torch import Tensor, nn

from pipeline.kernels import window_cnn as module
from pipeline.kernels.window_cnn import window_features

BF16, FP32 = torch.bfloat16, torch.float32


def layers(features: int = 4) -> tuple[nn.Conv2d, nn.Conv2d]:
    torch.manual_seed(0)
    return nn.Conv2d(1, features, 3, padding=1), nn.Conv2d(features, features, 3, padding=1)


def by_pytorch(windows: Tensor, conv1: nn.Conv2d, conv2: nn.Conv2d) -> Tensor:
    return torch.relu(nn.functional.max_pool2d(conv2(torch.relu(conv1(windows))), 2))


def rounding(dtype: torch.dtype) -> AbstractContextManager[object]:
    """What makes the layers compute in `dtype`."""
    return torch.autocast("cpu", dtype, enabled=dtype != FP32)


@pytest.mark.parametrize("width", [28, 29, 4])
@pytest.mark.parametrize("count", [1, 5, 7])
@pytest.mark.parametrize("dtype", [BF16, FP32])
def test_values_are_pytorchs(dtype: torch.dtype, width: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 3)
    windows = torch.rand(count, 1, 28, width)
    conv1, conv2 = layers()
    with rounding(dtype):
        ours, theirs = window_features(windows, conv1, conv2), by_pytorch(windows, conv1, conv2)
    assert ours.dtype == dtype
    # In fp32 the order of sums may depend on how many windows there are.
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6 if dtype == FP32 else 0)


@pytest.mark.parametrize("width", [28, 29])
@pytest.mark.parametrize(("dtype", "largest"), [(BF16, 0.02), (FP32, 1e-5)])
def test_gradients_are_pytorchs(
    dtype: torch.dtype, largest: float, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 3)
    windows, slope = torch.rand(8, 1, 28, width), torch.randn(8, 4, 14, width // 2)
    ours, theirs = nn.ModuleList(layers()), nn.ModuleList(copy.deepcopy(layers()))
    with rounding(dtype):
        (window_features(windows, *ours) * slope).float().sum().backward()
        (by_pytorch(windows, *theirs) * slope).float().sum().backward()
    for mine, reference in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert mine.grad is not None
        assert reference.grad is not None
        # Both round on the way (bf16 to 8 bits), in another order.
        error = (mine.grad - reference.grad).norm() / reference.grad.norm()
        assert float(error) < largest


@pytest.mark.parametrize("dtype", [BF16, FP32])
def test_a_tie_goes_to_the_first_pixel_and_nothing_below_zero_gets_a_gradient(dtype: torch.dtype) -> None:
    # Both convolutions hand on what they get, so cells of the image are cells of the pool.
    same = nn.Conv2d(1, 1, 3, padding=1)
    with torch.no_grad():
        same.weight.zero_()
        same.weight[0, 0, 1, 1] = 1
        assert same.bias is not None
        same.bias.zero_()
    negative = copy.deepcopy(same)
    with torch.no_grad():
        negative.bias.fill_(-2)  # of each pixel 2 is taken, so cells of at most 2 have nothing above zero
    cells = torch.tensor([[3.0, 3, 0, 0, 1, 2], [3, 1, 0, 0, 4, 4]])[None, None]
    with rounding(dtype):
        values = window_features(cells, same, negative)
        assert values.flatten().tolist() == [1, 0, 2]
        (values * torch.tensor([5.0, 6, 7])).float().sum().backward()
    # The pixels that were chosen are the first of their cells: 3 above on the left, 4 below on the left.
    assert negative.weight.grad is not None
    assert same.weight.grad is not None
    assert float(negative.weight.grad[0, 0, 1, 1]) == 5 * 3 + 7 * 4
    # Right of them stand 3 and 4; left of the first is no paper, of the second a 0.
    assert float(negative.weight.grad[0, 0, 1, 2]) == 5 * 3 + 7 * 4
    assert float(negative.weight.grad[0, 0, 1, 0]) == 0
    assert float(same.weight.grad[0, 0, 1, 1]) == 5 * 3 + 7 * 4
    # The second cell, whose gradient is 6, has nothing above zero.
    assert negative.bias.grad.tolist() == [5 + 7]


@pytest.mark.parametrize("dtype", [BF16, FP32])
def test_chunks_do_not_change_a_value(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    windows, (conv1, conv2) = torch.rand(9, 1, 28, 28), layers()
    results = []
    for size in (1, 4, 100):
        monkeypatch.setattr(module, "CHUNK", size)
        with rounding(dtype):
            results.append(window_features(windows, conv1, conv2))
    for result in results[:2]:
        torch.testing.assert_close(result, results[2], rtol=0, atol=1e-6 if dtype == FP32 else 0)
