import copy

import pytest
import torch
from torch import Tensor, nn

from pipeline.kernels import conv_relu as module


class Fused(nn.Sequential):
    """Convolutions, computed by the kernel."""

    def forward(self, images: Tensor) -> Tensor:
        return module.conv_relu(images, list(self))


def make(dtype: torch.dtype = torch.float32) -> tuple[Fused, nn.Sequential, Tensor]:
    """Four convolutions, the same with PyTorch's own modules, and images for them."""
    torch.manual_seed(0)
    ours = Fused(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.Conv2d(4, 4, 3, 2, padding=1),
        nn.Conv2d(4, 8, 3, padding=1),
        nn.Conv2d(8, 6, (3, 2), (3, 1)),
    ).to(dtype=dtype, memory_format=torch.channels_last)
    theirs = nn.Sequential(*(layer for conv in copy.deepcopy(ours) for layer in (conv, nn.ReLU())))
    return ours, theirs, torch.randn(5, 1, 9, 20).to(dtype)


def backward(network: nn.Module, images: Tensor) -> tuple[Tensor, list[Tensor | None]]:
    """The network's output, and the gradients of images and parameters."""
    images = images.clone().requires_grad_()
    output = network(images)
    slope = torch.linspace(-1, 2, output.numel(), dtype=output.dtype).view_as(output)
    (output * slope).sum().backward()
    return output.detach(), [images.grad, *(parameter.grad for parameter in network.parameters())]


def test_it_applies_on_a_cpu_alone() -> None:
    assert module.applies(torch.zeros(1))
    assert not module.applies(torch.zeros(1, device="meta"))


@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-12), (torch.float32, 1e-4)])
def test_outputs_and_gradients_are_pytorchs(dtype: torch.dtype, error: float) -> None:
    ours, theirs, images = make(dtype)
    torch.testing.assert_close(backward(ours, images), backward(theirs, images), rtol=0, atol=error)


def test_bf16_by_autocast_is_pytorchs_too() -> None:
    ours, theirs, images = make()
    with torch.autocast("cpu", torch.bfloat16):
        (output, gradients), (reference, expected_gradients) = backward(ours, images), backward(theirs, images)
    assert output.dtype == reference.dtype == torch.bfloat16
    assert torch.equal(output, reference)
    for gradient, expected in zip(gradients, expected_gradients, strict=True):
        assert gradient is not None
        assert expected is not None
        assert gradient.dtype == torch.float32
        assert float((gradient - expected).norm() / expected.norm()) < 2**-7  # bf16 has eight bits


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_inference_computes_what_training_does(dtype: torch.dtype) -> None:
    ours, _, images = make(dtype)
    trained, _ = backward(ours, images)
    with torch.inference_mode():
        inferred = ours(images)
    assert torch.equal(inferred, trained)
    assert not inferred.requires_grad


def test_inference_keeps_no_activation() -> None:
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
    for first, second, last in ((ours[0], ours[1], ours[3]), (theirs[0], theirs[2], theirs[6])):
        for layer in (first, last):
            layer.requires_grad_(False)
        second.bias.requires_grad_(False)
    torch.testing.assert_close(backward(ours, images), backward(theirs, images), rtol=0, atol=1e-12)
    assert ours[0].weight.grad is None
    assert ours[1].weight.grad is not None
    assert ours[1].bias.grad is None


def test_the_incoming_gradient_is_not_changed() -> None:
    ours, _, images = make()
    output = ours(images)
    shared = torch.ones_like(output)
    output.backward(shared)
    assert torch.equal(shared, torch.ones_like(output))


def test_without_onednn_the_numbers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, _, images = make()
    fused = backward(ours, images)
    for parameter in ours.parameters():
        parameter.grad = None
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    torch.testing.assert_close(backward(ours, images), fused, rtol=0, atol=1e-4)


def test_some_of_a_models_convolutions_can_be_computed() -> None:
    ours, theirs, images = make(torch.float64)
    output = module.conv_relu(images, [ours[0], ours[1]])
    torch.testing.assert_close(output, theirs[:4](images), rtol=0, atol=1e-12)


def test_a_batch_may_be_empty() -> None:
    ours, theirs, images = make()
    assert ours(images[:0]).shape == theirs(images[:0]).shape
