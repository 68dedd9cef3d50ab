import pytest
import torch

from pipeline.common.vocabulary import EMNIST
from pipeline.models.line_ppocr import HEIGHT, LinePPOCR, widen
from pipeline.models.registry import build_model
from pipeline.settings.models import LinePPOCRSettings


def build(**changes: object) -> LinePPOCR:
    torch.manual_seed(0)
    model = build_model(LinePPOCRSettings(name="line_ppocr", **changes), EMNIST.num_classes, HEIGHT)
    assert isinstance(model, LinePPOCR)
    return model.double().eval()


def noise(width: int) -> torch.Tensor:
    return torch.rand((1, 1, HEIGHT, width), generator=torch.Generator().manual_seed(width), dtype=torch.float64)


def test_size_and_steps() -> None:
    model = build()
    head = sum(weight.numel() for weight in model.fc.parameters())
    assert sum(weight.numel() for weight in model.parameters()) - head == 3_002_136
    assert model(noise(160)).shape == (1, EMNIST.num_classes, 20)
    assert model(noise(161)).shape == (1, EMNIST.num_classes, 21)
    assert model.windows.line_steps(161) == 21


@pytest.mark.parametrize("stride", [8, 6, 4])
def test_a_line_in_a_batch_gives_the_same_logits_as_alone(stride: int) -> None:
    model, widths = build(window_stride=stride), [40, 161, 96]
    images = torch.rand((3, 1, HEIGHT, 176), dtype=torch.float64)  # right of a line is anything but background
    lengths = [model.windows.line_steps(width) for width in widths]
    for image, width in zip(images, widths, strict=True):
        image[..., :width] = noise(width)[0]
        image[..., width : model.windows.width_for(model.windows.line_steps(width))] = 0
    together = model(images, lengths)
    for row, width, length in zip(together, widths, lengths, strict=True):
        torch.testing.assert_close(row[:, :length], model(noise(width))[0])


@pytest.mark.parametrize("stride", [8, 4])
def test_padding_gets_no_gradient(stride: int) -> None:
    model = build(window_stride=stride)
    images = noise(160).repeat(2, 1, 1, 1).requires_grad_()
    model(images, [40 // stride, 160 // stride])[0, :, : 40 // stride].sum().backward()
    assert images.grad is not None
    assert images.grad[0, ..., :40].abs().sum() > 0
    assert images.grad[0, ..., 40:].abs().sum() == images.grad[1].abs().sum() == 0


@pytest.mark.parametrize("stride", [4, 6])
def test_a_smaller_stride_reads_the_line_as_if_it_were_wider(stride: int) -> None:
    narrow, wide = build(window_stride=stride), build()
    line = noise(20 * stride)
    padded = torch.nn.functional.pad(line, (0, stride))
    widened = torch.nn.functional.interpolate(padded, (HEIGHT, 21 * 8), mode="bilinear")[..., : 20 * 8]
    assert narrow.windows.line_steps(20 * stride) == 20
    torch.testing.assert_close(narrow(line), wide(widened))


def test_columns_are_widened_evenly() -> None:
    ramp = torch.arange(24, dtype=torch.float64).expand(1, 1, 2, 24)
    expected = (torch.arange(32, dtype=torch.float64) + 0.5) * 0.75 - 0.5  # the center of each column of the line
    torch.testing.assert_close(widen(ramp, 6)[0, 0, 0, 1:-1], expected[1:-1])
    assert widen(ramp, 6).shape == (1, 1, 2, 32)


def test_all_weights_are_trained() -> None:
    model = build().train()
    model(noise(160).repeat(2, 1, 1, 1), [20, 11]).square().mean().backward()
    without = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert without == []


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_before_the_output(dropout: float) -> None:
    model = build(dropout=dropout)
    assert model.dropout.p == dropout
