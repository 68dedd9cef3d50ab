import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from pipeline.kernels import window_cnn
from pipeline.models.line_cnn_simple import LineCNNSimple
from pipeline.settings.models import LineCNNSimpleSettings
from tests.tiny import noise_images

Select = Callable[[str], None]
BRANCHES = ["plain", "kernel", "kernel of a GPU"]


@pytest.fixture
def select(monkeypatch: pytest.MonkeyPatch) -> Select:
    """Choose which branch computes hidden units, on a CPU and in any dtype."""

    def choose(branch: str) -> None:
        monkeypatch.setattr(window_cnn, "applies", lambda windows: branch != "plain")
        if branch == "kernel of a GPU":
            monkeypatch.setattr(window_cnn, "hidden", window_cnn.all_at_once)

    return choose


def make(width: int = 28, stride: int = 20, classes: int = 7, **sizes: int) -> LineCNNSimple:
    torch.manual_seed(0)
    settings = LineCNNSimpleSettings(
        name="line_cnn_simple",
        window_width=width,
        window_stride=stride,
        limit_output_length=False,
        **{"conv_dim": 3, "fc_dim": 5, **sizes},
    )
    return LineCNNSimple(classes, settings).double().eval()


def one_by_one(model: LineCNNSimple, images: Tensor, steps: int) -> Tensor:
    """The lecture's definition: the CNN, in the lecture's order, on one window after another."""
    width, stride = model.windows.width, model.windows.stride
    logits = []
    for step in range(steps):
        window = images[..., step * stride : step * stride + width]
        window = nn.functional.pad(window, (0, width - window.shape[-1]))
        features = model.conv2(model.conv1(window).relu()).relu()
        features = nn.functional.max_pool2d(features, 2).flatten(1)
        logits.append(model.fc2(model.fc1(features).relu()))
    return torch.stack(logits, dim=-1)


def test_it_has_the_lectures_parameters() -> None:
    model = make(28, 28, classes=83, conv_dim=64, fc_dim=128)
    # Convolutions 1-64 and 64-64, linear 64 * 14 * 14 to 128, linear 128 to 83, each with its biases.
    assert [p.numel() for p in model.parameters()] == [576, 64, 36_864, 64, 1_605_632, 128, 10_624, 83]
    assert sum(p.numel() for p in model.parameters()) == 1_654_035
    assert model.dropout.p == 0.25


@pytest.mark.parametrize(
    ("width", "stride", "image_width", "steps"),
    [(28, 28, 896, 32), (28, 20, 896, 44), (28, 18, 896, 49), (16, 8, 100, 11), (27, 5, 27, 1), (4, 3, 11, 3)],
)
def test_steps_follow_from_windows_and_image(width: int, stride: int, image_width: int, steps: int) -> None:
    model = make(width, stride)
    assert model(torch.zeros(2, 1, 28, image_width).double()).shape == (2, 7, steps)
    assert model.windows.steps(image_width) == steps == math.floor((image_width - width) / stride) + 1


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("width", "stride"), [(28, 28), (28, 20), (28, 9), (15, 7), (6, 11)])
def test_it_is_the_cnn_on_each_window(width: int, stride: int, training: bool, branch: str, select: Select) -> None:
    select(branch)
    model, images = make(width, stride).train(training), noise_images([200, 60, 131])
    model.dropout.p = 0.0
    steps = model.windows.steps(200)
    torch.testing.assert_close(model(images), one_by_one(model, images, steps), rtol=0, atol=1e-12)


@pytest.mark.parametrize("steps", [1, 5, 9, 40])
def test_lengths_say_how_many_windows(steps: int) -> None:
    model = make()
    images = noise_images([170, 90])
    logits = model(images, [1, steps])
    assert logits.shape == (2, 7, steps)
    torch.testing.assert_close(logits, one_by_one(model, images, steps), rtol=0, atol=1e-12)


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("training", [True, False])
def test_gradients_are_those_of_the_cnn_on_each_window(training: bool, branch: str, select: Select) -> None:
    select(branch)
    model, plain = make().train(training), make()
    model.dropout.p = 0.0
    images, weights = noise_images([150, 40, 150]), torch.randn(3, 7, 12).double()
    (model(images, [12] * 3) * weights).sum().backward()
    (one_by_one(plain, images, 12) * weights).sum().backward()
    for (name, shared), own in zip(model.named_parameters(), plain.parameters(), strict=True):
        assert own.grad is not None
        assert own.grad.abs().max() > 0, name
        torch.testing.assert_close(shared.grad, own.grad, rtol=1e-9, atol=1e-9, msg=name)


def test_blank_windows_are_convolved_once(select: Select, monkeypatch: pytest.MonkeyPatch) -> None:
    select("kernel")
    convolved: list[int] = []
    features = window_cnn.window_features

    def count(windows: Tensor, *convs: nn.Conv2d) -> Tensor:
        convolved.append(len(windows))
        return features(windows, *convs)

    monkeypatch.setattr(window_cnn, "window_features", count)
    make(28, 28)(noise_images([56] * 4), [10] * 4)
    assert convolved == [9]  # two windows with ink in each of the four lines, and a blank one


@pytest.mark.parametrize("branch", BRANCHES)
def test_equal_windows_have_different_dropout(branch: str, select: Select) -> None:
    select(branch)
    model = make(28, 28).train()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()  # nothing is lost in a ReLU, so that every dropped feature shows
    # Equal windows may differ in the last digit: a matrix product adds up in another order where its rows run out.
    rounding = 1e-9
    spread = torch.cdist(*[model(torch.zeros(1, 1, 28, 280).double())[0].T] * 2)
    assert spread[~torch.eye(10, dtype=torch.bool)].min() > rounding
    steps = model.eval()(torch.zeros(1, 1, 28, 280).double())[0].T
    torch.testing.assert_close(steps, steps[:1].expand(10, -1), rtol=rounding, atol=0)


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("widths", [[150, 40, 150], [28] * 3, [1]])
def test_a_training_step_on_a_cpu_has_the_gradients_of_the_cnn_on_each_window(
    widths: list[int], bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel in the dtypes that it is for; without dropout, whose masks would differ.

    In bf16, pixels of a pool that differ little change places, so the convolutions' gradients go elsewhere.
    """
    monkeypatch.setattr("pipeline.kernels.window_cnn.CHUNK", 4)
    monkeypatch.setattr("pipeline.kernels.dropout_linear.CHUNK", 6)
    monkeypatch.setattr("pipeline.kernels.dropout_linear.MULTIPLE", 3)
    model, plain = make().float().train(), make().float()
    model.dropout.p = 0.0
    images, slope = noise_images(widths).float(), torch.randn(len(widths), 7, 12)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        logits = model(images, [12] * len(widths))
    (logits.float() * slope).sum().backward()
    expected = one_by_one(plain, images, 12)
    (expected * slope).sum().backward()
    largest = 0.02 if bf16 else 1e-5
    assert float((logits.detach().float() - expected.detach()).norm() / expected.detach().norm()) < largest
    for (name, own), reference in zip(model.named_parameters(), plain.parameters(), strict=True):
        assert own.grad is not None
        assert reference.grad is not None
        if bf16 and name.startswith("conv"):
            continue
        assert float((own.grad - reference.grad).norm() / reference.grad.norm()) < largest, name
