import copy

import pytest
import torch
from torch import Tensor, nn

from pipeline.kernels.conv_relu import RectifiedConvs, rectified_convs


def make(dtype: torch.dtype = torch.float32) -> tuple[RectifiedConvs, nn.Sequential, Tensor]:
    """Four convolutions, the same with PyTorch's own modules, and images for them."""
    torch.manual_seed(0)
    ours = RectifiedConvs(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.Conv2d(4, 4, 3, 2, padding=1),
        nn.Conv2d(4, 8, 3, padding=1),
        nn.Conv2d(8, 6, (3, 2), (3, 1)),
    ).to(dtype=dtype, memory_format=torch.channels_last)
    theirs = copy.deepcopy(nn.Sequential(*(nn.ReLU() if isinstance(layer, nn.ReLU) else layer for layer in ours)))
    return ours, theirs, torch.randn(5, 1, 9, 20).to(dtype)


def learn(network: nn.Module, images: Tensor) -> tuple[Tensor, list[Tensor | None]]:
    """What the network makes of images, and the gradients of images and parameters."""
    images = images.clone().requires_grad_()
    found = network(images)
    slope = torch.linspace(-1, 2, found.numel(), dtype=found.dtype).view_as(found)
    (found * slope).sum().backward()
    return found.detach(), [images.grad, *(parameter.grad for parameter in network.parameters())]


@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-12), (torch.float32, 1e-4)])
def test_results_and_gradients_are_pytorchs(dtype: torch.dtype, error: float) -> None:
    ours, theirs, images = make(dtype)
    torch.testing.assert_close(learn(ours, images), learn(theirs, images), rtol=0, atol=error)


def test_bf16_by_autocast_is_pytorchs_too() -> None:
    ours, theirs, images = make()
    with torch.autocast("cpu", torch.bfloat16):
        (mine, of_mine), (reference, of_reference) = learn(ours, images), learn(theirs, images)
    assert mine.dtype == reference.dtype == torch.bfloat16
    assert torch.equal(mine, reference)
    for gradient, expected in zip(of_mine, of_reference, strict=True):
        assert gradient is not None
        assert expected is not None
        assert gradient.dtype == torch.float32
        assert float((gradient - expected).norm() / expected.norm()) < 2**-7  # bf16 has eight bits


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_reading_is_what_learning_sees(dtype: torch.dtype) -> None:
    ours, _, images = make(dtype)
    learned, _ = learn(ours, images)
    with torch.inference_mode():
        read = ours(images)
    assert torch.equal(read, learned)
    assert not read.requires_grad


def test_reading_keeps_no_layer() -> None:
    ours, _, images = make()
    calls: list[int] = []

    def count(_tensor: Tensor) -> Tensor:
        calls.append(1)
        return _tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda kept: kept):
        with torch.no_grad():
            ours(images)
        assert not calls
        ours(images)
    assert calls


def test_frozen_parameters_have_no_gradient_and_the_others_their_own() -> None:
    ours, theirs, images = make(torch.float64)
    for network in (ours, theirs):
        for layer in (network[0], network[6]):
            layer.requires_grad_(False)
        network[2].bias.requires_grad_(False)
    torch.testing.assert_close(learn(ours, images), learn(theirs, images), rtol=0, atol=1e-12)
    assert ours[0].weight.grad is None
    assert ours[2].weight.grad is not None
    assert ours[2].bias.grad is None


def test_the_gradient_that_comes_in_is_left_as_it_is() -> None:
    ours, _, images = make()
    found = ours(images)
    shared = torch.ones_like(found)
    found.backward(shared)
    assert torch.equal(shared, torch.ones_like(found))


def test_without_onednn_the_numbers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, _, images = make()
    fused = learn(ours, images)
    for parameter in ours.parameters():
        parameter.grad = None
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    torch.testing.assert_close(learn(ours, images), fused, rtol=0, atol=1e-4)


def test_some_of_a_models_layers_can_be_run() -> None:
    ours, theirs, images = make(torch.float64)
    found = rectified_convs(images, [ours[0], ours[2]])
    torch.testing.assert_close(found, theirs[:4](images), rtol=0, atol=1e-12)


def test_a_batch_may_be_empty() -> None:
    ours, theirs, images = make()
    assert ours(images[:0]).shape == theirs(images[:0]).shape
