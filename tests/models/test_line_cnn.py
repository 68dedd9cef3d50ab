import math

import pytest
import torch
from torch import Tensor, nn

from pipeline.kernels import conv_relu
from pipeline.kernels.memory_format import WIDTH_MULTIPLES
from pipeline.kernels.relu import ReLU
from pipeline.models.line_cnn import LineCNN
from pipeline.settings.models import LineCNNSettings
from tests.tiny import noise_images


def build(classes: int = 83, width: int = 24, stride: int = 16, **sizes: int) -> LineCNN:
    torch.manual_seed(0)
    return LineCNN(classes, LineCNNSettings(name="line_cnn", window_width=width, window_stride=stride, **sizes))


def make(width: int = 24, stride: int = 16) -> LineCNN:
    return build(7, width, stride, conv_dim=2, fc_dim=6).double().eval()


def record_widths(model: LineCNN, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the widths of the images that the convolutions compute."""
    widths: list[int] = []
    features = model.features

    def record(images: Tensor) -> Tensor:
        widths.append(images.shape[-1])
        return features(images)

    monkeypatch.setattr(model, "features", record)
    return widths


def test_it_has_the_lectures_parameters() -> None:
    # Width 28 counts as 24: 3 columns of 8 pixels.
    assert sum(p.numel() for p in build(width=28).parameters()) == 1_200_499


def test_layers_are_as_the_lecture_lists_them() -> None:
    model = build(width=32, conv_dim=10, fc_dim=50)
    convolutions = [layer for layer in model.convs if isinstance(layer, nn.Conv2d)]
    channels = [(c.in_channels, c.out_channels, c.stride) for c in convolutions]
    one, two = (1, 1), (2, 2)
    assert channels == [
        (1, 10, one),
        (10, 10, one),
        (10, 10, two),
        (10, 10, one),
        (10, 20, two),
        (20, 20, one),
        (20, 40, two),
        (40, 40, one),
    ]
    assert all(c.kernel_size == (3, 3) and c.padding == (1, 1) for c in convolutions)
    assert [type(layer) for layer in model.convs] == [nn.Conv2d, ReLU] * 8
    last = model.window_conv
    assert (last.in_channels, last.out_channels) == (40, 50)
    assert (last.kernel_size, last.stride, last.padding) == ((3, 4), (3, 2), (0, 0))
    assert (model.fc1.in_features, model.fc1.out_features) == (50, 50)
    assert (model.fc2.in_features, model.fc2.out_features) == (50, 83)
    assert model.dropout.p == 0.2


def test_weights_are_kaiming_normal_by_fan_out() -> None:
    model = build()
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            area = math.prod(layer.kernel_size) if isinstance(layer, nn.Conv2d) else 1
            expected = math.sqrt(2 / (layer.weight.shape[0] * area))
            tolerance = 4 / math.sqrt(2 * layer.weight.numel())  # four standard errors of a deviation
            assert float(layer.weight.detach().std()) == pytest.approx(expected, rel=tolerance)
            assert abs(float(layer.weight.detach().mean())) < 5 * expected / math.sqrt(layer.weight.numel())


@pytest.mark.parametrize(
    ("width", "stride", "image_width", "steps"),
    [(24, 16, 896, 55), (16, 8, 896, 111), (24, 24, 896, 37), (8, 8, 100, 13), (24, 8, 17, 1), (32, 16, 129, 7)],
)
def test_steps_follow_from_windows_and_image(width: int, stride: int, image_width: int, steps: int) -> None:
    model = make(width, stride)
    assert model(torch.zeros(2, 1, 28, image_width).double()).shape == (2, 7, steps)
    assert model.windows.steps(image_width) == steps


@pytest.mark.parametrize(("width", "stride"), [(24, 16), (16, 8), (8, 24), (32, 8)])
@pytest.mark.parametrize("image_width", [1, 50, 101, 160])
@pytest.mark.parametrize("steps", [1, 4, 8, 25])
def test_the_background_goes_on_without_end(width: int, stride: int, image_width: int, steps: int) -> None:
    model = make(width, stride)
    images = noise_images([image_width, image_width // 2])
    endless = nn.functional.pad(images, (0, 2000))
    logits = model(images, [steps, 1])
    assert logits.shape == (2, 7, steps)
    torch.testing.assert_close(logits, model(endless)[..., :steps], rtol=0, atol=1e-9)
    torch.testing.assert_close(logits, model(endless, [steps, 1]), rtol=0, atol=1e-9)


def test_the_right_edge_of_an_image_would_be_felt() -> None:
    model = make()
    images = noise_images([100])
    plain, endless = model(images), model(nn.functional.pad(images, (0, 2000)))
    differences = (plain - endless[..., : plain.shape[-1]]).abs().amax(dim=(0, 1))
    assert differences[-1] > 1e-3
    assert differences[0] < 1e-9


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_margin_is_what_a_step_depends_on(side: str) -> None:
    # Windows are 24 wide every 16; step 4 is at 64 to 88 and depends on 23 pixels to the left and 16 to the right.
    model = make()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()  # nothing cancels, so that every pixel in the receptive field counts
    images = torch.zeros(1, 1, 28, 300, dtype=torch.float64, requires_grad=True)
    model(images)[0, :, 4].sum().backward()
    assert images.grad is not None
    felt = images.grad[0, 0].abs().amax(dim=0).nonzero().flatten()
    if side == "left":
        assert int(felt.min()) == 64 - model.windows.left_margin
    else:
        assert int(felt.max()) == 64 + 24 + model.windows.margin - 1


def test_far_right_of_the_ink_nothing_is_computed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make()
    widths = record_widths(model, monkeypatch)
    model(noise_images([50]), [120])
    # The first blank step is ceil((50 + 23) / 16) = 5; six steps need 5 * 16 + 24 + 16 pixels of 2,000.
    assert widths == [120]


def test_random_lines_are_computed_in_parts_with_the_same_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    images = noise_images([130, 28, 57, 300, 83, 222, 40, 299])
    for size in (len(images), 3):
        monkeypatch.setattr("pipeline.kernels.blank_background.PART_SIZE", size)
        model = make()
        widths = record_widths(model, monkeypatch)
        logits = model(images, [25] * len(images))
        (logits * noise_images([25 * 7] * len(images), 1)[:, 0, 0].view_as(logits)).sum().backward()
        found.append((logits, [parameter.grad for parameter in model.parameters()], widths))
    (whole, whole_gradients, whole_width), (parts, parts_gradients, part_widths) = found
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-9)
    torch.testing.assert_close(parts_gradients, whole_gradients, rtol=0, atol=1e-7)
    # Lines of 28, 40, 57; of 83, 130, 222; of 299, 300. Each part has one blank step after the ink, up to 25 steps.
    first_blank = [math.ceil((width + 23) / 16) for width in (57, 222, 300)]
    assert part_widths == [min(blank, 24) * 16 + 24 + 16 for blank in first_blank]
    assert whole_width == part_widths[-1:]


@pytest.mark.parametrize("steps", [1, 4, 8])
def test_on_a_gpu_few_widths_are_computed_and_the_answers_are_the_same(
    steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, images = make(), noise_images([101, 50])
    plain = model(images, [steps, 1])
    monkeypatch.setitem(WIDTH_MULTIPLES, "cpu", WIDTH_MULTIPLES["cuda"])
    widths = record_widths(model, monkeypatch)
    torch.testing.assert_close(model(images, [steps, 1]), plain, rtol=0, atol=1e-9)
    (width,) = widths
    assert width % WIDTH_MULTIPLES["cuda"] == 0
    assert 0 <= width - model.windows.width_for(steps) < WIDTH_MULTIPLES["cuda"]


def test_dropout_acts_in_training_only() -> None:
    model, images = make(), noise_images([200])
    assert torch.equal(model(images), model(images))
    assert not torch.equal(model.train()(images), model(images))


@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-9), (torch.float32, 1e-3)])
@pytest.mark.parametrize("lengths", [None, [12, 5]])
def test_the_plain_layers_compute_what_the_kernel_does(
    lengths: list[int] | None, dtype: torch.dtype, error: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for applies in (True, False):
        monkeypatch.setattr(conv_relu, "applies", lambda images, applies=applies: applies)
        model, images = make().to(dtype), noise_images([130, 57]).to(dtype)
        logits = model(images, lengths)
        slope = torch.linspace(-1, 1, logits.numel(), dtype=dtype).view_as(logits)
        (logits * slope).sum().backward()
        results.append([logits, *(parameter.grad for parameter in model.parameters())])
    torch.testing.assert_close(*results, rtol=error, atol=error)


def test_the_plain_layers_compute_the_kernels_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = []
    for applies in (True, False):
        monkeypatch.setattr(conv_relu, "applies", lambda images, applies=applies: applies)
        with torch.autocast("cpu", torch.bfloat16):
            logits.append(make().float()(noise_images([130, 57]).float(), [12, 5]))
    assert torch.equal(*logits)
