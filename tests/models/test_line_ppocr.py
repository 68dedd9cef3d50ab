import pytest
import torch

from pipeline.common.vocabulary import EMNIST
from pipeline.models.line_ppocr import HEIGHT, LinePPOCR
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


def test_a_line_in_a_batch_gives_the_same_logits_as_alone() -> None:
    model, widths = build(), [40, 161, 96]
    images = torch.rand((3, 1, HEIGHT, 176), dtype=torch.float64)  # right of a line is anything but background
    lengths = [model.windows.line_steps(width) for width in widths]
    for image, width in zip(images, widths, strict=True):
        image[..., :width] = noise(width)[0]
        image[..., width : model.windows.width_for(model.windows.line_steps(width))] = 0
    together = model(images, lengths)
    for row, width, length in zip(together, widths, lengths, strict=True):
        torch.testing.assert_close(row[:, :length], model(noise(width))[0])


def test_padding_gets_no_gradient() -> None:
    model = build()
    images = noise(160).repeat(2, 1, 1, 1).requires_grad_()
    model(images, [5, 20])[0, :, :5].sum().backward()
    assert images.grad is not None
    assert images.grad[0, ..., :40].abs().sum() > 0
    assert images.grad[0, ..., 40:].abs().sum() == images.grad[1].abs().sum() == 0


def test_all_weights_are_trained() -> None:
    model = build().train()
    model(noise(160).repeat(2, 1, 1, 1), [20, 11]).square().mean().backward()
    without = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert without == []


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_before_the_output(dropout: float) -> None:
    model = build(dropout=dropout)
    assert model.dropout.p == dropout
