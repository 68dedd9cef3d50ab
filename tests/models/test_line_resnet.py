import pytest
import torch
from torch import nn

from pipeline.models.line_resnet import RASTER, LineResNet
from pipeline.settings.models import LineResNetLSTMSettings
from tests.tiny import noise_images

STRIDES = [(4, 4), (8, 4), (8, 8)]
"""Of steps, and of the last level."""


def make(stride: int = 8, blocks: tuple[int, int, int] = (1, 1, 1), last: int = 4) -> LineResNet:
    torch.manual_seed(0)
    half, quarter, eighth = blocks
    settings = LineResNetLSTMSettings(
        name="line_resnet_lstm",
        window_stride=stride,
        blocks_half=half,
        blocks_quarter=quarter,
        blocks_eighth=eighth,
        last_stride=last,
    )
    model = LineResNet(settings.windows, 2, settings.blocks, 6, last).double().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):  # as after some training: nothing is neutral
            nn.init.uniform_(module.weight, 0.5, 1)
            nn.init.uniform_(module.bias, -0.1, 0.5)
    return model


@pytest.mark.parametrize(("stride", "image_width", "steps"), [(8, 896, 112), (4, 896, 224), (8, 100, 13), (4, 100, 26)])
def test_steps_follow_from_stride_and_image(stride: int, image_width: int, steps: int) -> None:
    model = make(stride)
    assert model(torch.zeros(2, 1, 28, image_width).double()).shape == (2, steps, 6)
    assert model.windows.steps(image_width) == steps


@pytest.mark.parametrize(("stride", "last"), STRIDES)
@pytest.mark.parametrize(("image_width", "steps"), [(1, 1), (50, 9), (101, 13), (160, 30)])
@torch.no_grad()
def test_paper_goes_on_endlessly(stride: int, last: int, image_width: int, steps: int) -> None:
    model = make(stride, last=last)
    images = noise_images([image_width, image_width // 2])
    features = model(images, [steps, 1])
    assert features.shape == (2, steps, 6)
    endless = model(nn.functional.pad(images, (0, 2000)))[:, :steps]
    torch.testing.assert_close(features, endless, rtol=0, atol=1e-9)


@torch.no_grad()
def test_the_right_edge_of_an_image_would_be_felt() -> None:
    model, images = make(), noise_images([160])
    plain, endless = model(images), model(nn.functional.pad(images, (0, 2000)))
    differences = (plain - endless[:, : plain.shape[1]]).abs().amax(dim=(0, 2))
    assert differences[-1] > 1e-3
    assert differences[0] < 1e-9


@pytest.mark.parametrize("blocks", [(1, 1, 1), (0, 2, 1), (2, 0, 0)])
@pytest.mark.parametrize(("stride", "last"), STRIDES)
def test_reach_is_what_a_step_depends_on(stride: int, last: int, blocks: tuple[int, int, int]) -> None:
    model = make(stride, blocks, last)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()  # nothing cancels, so that every pixel within reach counts
    images = torch.zeros(1, 1, 28, 400, dtype=torch.float64, requires_grad=True)
    step, windows = 160 // stride, model.windows
    model(images)[0, step].sum().backward()
    assert images.grad is not None
    felt = images.grad[0, 0].abs().amax(dim=0).nonzero().flatten()
    assert (int(felt.min()), int(felt.max())) == (160 - windows.margin, 160 + stride + windows.margin - 1)
    # Stem and blocks: two 3 x 3 convolutions each, whose positions stand every 2, every 4 or every `last` pixels.
    assert windows.margin == 2 + 4 * blocks[0] + 8 * blocks[1] + 2 * last * blocks[2]


def test_images_are_computed_in_few_widths() -> None:
    model = make()
    widths: list[int] = []
    model.stem.register_forward_hook(lambda _module, inputs, _output: widths.append(2 * inputs[0].shape[-1]))
    for width in range(60, 90):
        model(noise_images([width]), [width // 8])
    assert set(widths) == {80, 96, 112}  # 7 to 11 steps of 8 pixels, and a reach of 22
    assert all(width % RASTER == 0 for width in widths)
