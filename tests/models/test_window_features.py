import copy

import pytest
import torch
from torch import Tensor, nn

from pipeline.models import window_features as module
from pipeline.models.window_features import window_features


def layers(features: int = 4) -> tuple[nn.Conv2d, nn.Conv2d]:
    torch.manual_seed(0)
    return nn.Conv2d(1, features, 3, padding=1), nn.Conv2d(features, features, 3, padding=1)


def by_pytorch(windows: Tensor, conv1: nn.Conv2d, conv2: nn.Conv2d) -> Tensor:
    return torch.relu(nn.functional.max_pool2d(conv2(torch.relu(conv1(windows))), 2))


@pytest.mark.parametrize("width", [28, 29, 4])
@pytest.mark.parametrize("count", [1, 5, 7])
def test_values_are_pytorchs(width: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 3)
    windows = torch.rand(count, 1, 28, width)
    conv1, conv2 = layers()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(window_features(windows, conv1, conv2), by_pytorch(windows, conv1, conv2))


@pytest.mark.parametrize("width", [28, 29])
def test_gradients_are_pytorchs(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 3)
    windows, slope = torch.rand(8, 1, 28, width), torch.randn(8, 4, 14, width // 2)
    ours, theirs = nn.ModuleList(layers()), nn.ModuleList(copy.deepcopy(layers()))
    with torch.autocast("cpu", torch.bfloat16):
        (window_features(windows, *ours) * slope).float().sum().backward()
        (by_pytorch(windows, *theirs) * slope).float().sum().backward()
    for mine, reference in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert mine.grad is not None
        assert reference.grad is not None
        # Both round to 8 bits on the way, in another order.
        error = (mine.grad - reference.grad).norm() / reference.grad.norm()
        assert float(error) < 0.02


def test_a_tie_goes_to_the_first_pixel_and_nothing_below_zero_gets_a_gradient() -> None:
    cells = torch.tensor([[3, 3, 0, 0, 1, 2], [3, 1, 0, 0, 4, 4]], dtype=torch.bfloat16)[None, None]
    values, code = module._pool(cells)
    assert values.flatten().tolist() == [3, 0, 4]
    spread = module._unpool(torch.tensor([[[[5, 6, 7]]]], dtype=torch.bfloat16), code, 6)
    assert spread[0, 0].tolist() == [[5, 0, 0, 0, 0, 0], [0, 0, 0, 0, 7, 0]]


def test_chunks_do_not_change_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    windows, (conv1, conv2) = torch.rand(9, 1, 28, 28), layers()
    results = []
    for size in (1, 4, 100):
        monkeypatch.setattr(module, "CHUNK", size)
        results.append(window_features(windows, conv1, conv2))
    assert torch.equal(results[0], results[2])
    assert torch.equal(results[1], results[2])
