import copy

import pytest
import torch
from torch import Tensor, nn

from pipeline.kernels.relu import ReLU


def every_bf16() -> Tensor:
    """All 65,536 bit patterns but the NaNs, whose sign decides."""
    values = torch.arange(-(2**15), 2**15).to(torch.int16).view(torch.bfloat16)
    return values[~values.isnan()]


def test_every_bf16_number_is_rectified_as_by_pytorch() -> None:
    values = every_bf16()
    expected = torch.relu(values)
    assert torch.equal(ReLU()(values.clone()), expected)
    assert not torch.signbit(ReLU()(values.clone())).any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_pytorchs(dtype: torch.dtype, memory_format: torch.memory_format) -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn((2, 3, 4, 5), generator=generator).to(dtype).to(memory_format=memory_format)
    start[0, 0, 0, 0] = 0
    slope = torch.randn((2, 3, 4, 5), generator=generator).to(dtype)
    results = []
    for relu in (ReLU(), nn.ReLU()):
        values = start.clone().requires_grad_()
        rectified = relu(values * 1)
        (rectified * slope).sum().backward()
        results.append((rectified.detach(), values.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert results[0][1] is not None
    assert results[1][1] is not None
    assert torch.equal(results[0][1], results[1][1])


def test_it_works_in_place_within_a_network() -> None:
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Conv2d(1, 4, 3), ReLU(), nn.Conv2d(4, 2, 3), ReLU())
    theirs = copy.deepcopy(ours)
    theirs[1], theirs[3] = nn.ReLU(), nn.ReLU()
    images = torch.randn(3, 1, 9, 9)
    for network in (ours, theirs):
        with torch.autocast("cpu", torch.bfloat16):
            network(images).float().square().sum().backward()
    for mine, reference in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine.grad, reference.grad)


def test_it_needs_no_gradient() -> None:
    values = torch.tensor([-1.0, 2.0], dtype=torch.bfloat16)
    with torch.inference_mode():
        assert ReLU()(values).tolist() == [0, 2]
