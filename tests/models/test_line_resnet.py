import pytest
import torch
from torch import nn

from pipeline.common.vocabulary import EMNIST
from pipeline.models.layers.residual import DepthwiseBlock, ResidualBlock
from pipeline.models.line_resnet import WIDTH_MULTIPLE, LineResNet
from pipeline.models.registry import build_model
from pipeline.settings.models import LineResNetLSTMSettings
from tests.tiny import RESNETS, noise_images, tiny_model

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
        conv_dim=2,
        fc_dim=6,
    )
    model = LineResNet(settings).double().eval()
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
def test_the_background_goes_on_without_end(stride: int, last: int, image_width: int, steps: int) -> None:
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
def test_the_margin_is_what_a_step_depends_on(stride: int, last: int, blocks: tuple[int, int, int]) -> None:
    model = make(stride, blocks, last)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()  # nothing cancels, so that every pixel in the receptive field counts
    images = torch.zeros(1, 1, 28, 400, dtype=torch.float64, requires_grad=True)
    step, windows = 160 // stride, model.windows
    model(images)[0, step].sum().backward()
    assert images.grad is not None
    felt = images.grad[0, 0].abs().amax(dim=0).nonzero().flatten()
    assert (int(felt.min()), int(felt.max())) == (160 - windows.margin, 160 + stride + windows.margin - 1)
    # Stem and blocks: two 3 x 3 convolutions each, whose positions are every 2, every 4 or every `last` pixels.
    assert windows.margin == 2 + 4 * blocks[0] + 8 * blocks[1] + 2 * last * blocks[2]


def test_images_are_computed_in_few_widths() -> None:
    model = make()
    widths: list[int] = []
    model.stem.register_forward_hook(lambda _module, inputs, _output: widths.append(2 * inputs[0].shape[-1]))
    for width in range(60, 90):
        model(noise_images([width]), [width // 8])
    assert set(widths) == {80, 96, 112}  # 7 to 11 steps of 8 pixels, and a margin of 22
    assert all(width % WIDTH_MULTIPLE == 0 for width in widths)


def shipped(**changes: object) -> nn.Module:
    return build_model(LineResNetLSTMSettings(name="line_resnet_lstm", **changes), EMNIST.num_classes)


def test_blocks_are_of_the_kind_that_is_named() -> None:
    made = {kind: shipped(block=kind, blocks_quarter=3) for kind in ("residual", "depthwise")}
    kinds = {
        name: [type(m) for m in model.modules() if isinstance(m, ResidualBlock | DepthwiseBlock)]
        for name, model in made.items()
    }
    assert kinds == {"residual": [ResidualBlock] * 6, "depthwise": [DepthwiseBlock] * 6}


def test_the_last_levels_stride_decides_what_merging_joins() -> None:
    joined = {
        last: [m.linear.in_features for m in shipped(last_stride=last).modules() if hasattr(m, "linear")]
        for last in (4, 8)
    }
    # Channels times the height and width of a patch.
    assert joined == {4: [32 * 4, 64 * 2, 128 * 8], 8: [32 * 4, 64 * 4, 128 * 4]}


@torch.no_grad()
def test_the_head_ends_with_each_line() -> None:
    for name in RESNETS:
        torch.manual_seed(0)
        model = build_model(tiny_model(name), EMNIST.num_classes).double().eval()
        images, lengths = noise_images([60, 150]), [8, 19]
        logits = model(images, lengths)
        alone = model(images[:1, ..., :60], [8])
        torch.testing.assert_close(logits[0, :, :8], alone[0], rtol=0, atol=1e-9)
        whole = model(images, [19, 19])
        assert float((whole[0, :, :8] - alone[0]).abs().max()) > 1e-4


@pytest.mark.parametrize("name", RESNETS)
def test_dropout_acts_in_training_only(name: str) -> None:
    torch.manual_seed(0)
    model = build_model(tiny_model(name, dropout=0.5), EMNIST.num_classes).double().eval()
    images = noise_images([120])
    assert torch.equal(model(images), model(images))
    for module in model.modules():
        if not isinstance(module, nn.BatchNorm2d):
            module.training = True
    assert not torch.equal(model(images), model(images))
