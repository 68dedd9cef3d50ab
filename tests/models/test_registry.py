import pytest
import torch
from torch import nn

from pipeline.common.vocabulary import EMNIST
from pipeline.models.line_cnn import LineCNN
from pipeline.models.line_cnn_lstm import LineCNNLSTM
from pipeline.models.line_cnn_simple import LineCNNSimple
from pipeline.models.registry import MODELS as REGISTERED
from pipeline.models.registry import build_model
from pipeline.settings.models import LineCNNLSTMSettings, LineCNNSettings, LineCNNSimpleSettings
from tests.tiny import MODELS, RESNETS, noise_images, tiny_model


def build(name: str, **changes: object) -> nn.Module:
    torch.manual_seed(0)
    return build_model(tiny_model(name, **changes), EMNIST.num_classes).double().eval()


@pytest.mark.parametrize(
    ("settings", "kind", "parameters"),
    [
        (LineCNNSimpleSettings, LineCNNSimple, 1_654_035),
        (LineCNNSettings, LineCNN, 1_200_499),
        (LineCNNLSTMSettings, LineCNNLSTM, 3_688_390),
    ],
)
def test_the_lectures_models(settings: type, kind: type[nn.Module], parameters: int) -> None:
    names = {LineCNNSimple: "line_cnn_simple", LineCNN: "line_cnn", LineCNNLSTM: "line_cnn_lstm"}
    model = build_model(
        settings(name=names[kind], window_width=28, window_stride=20, limit_output_length=False), EMNIST.num_classes
    )
    assert type(model) is kind
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert model(torch.zeros(1, 1, 28, 896)).shape == (1, 83, {LineCNNSimple: 44}.get(kind, 55))


def test_every_model_is_registered_and_tested() -> None:
    others = {"line_ppocr"}
    """Of its own height and sizes; tested in a file of its own."""
    assert sorted(REGISTERED) == sorted({*MODELS, *others})


def test_every_size_arrives() -> None:
    simple = build("line_cnn_simple", conv_dim=3, fc_dim=5, window_width=30)
    assert (simple.conv2.out_channels, simple.fc1.in_features, simple.fc1.out_features) == (3, 3 * 14 * 15, 5)
    cnn = build("line_cnn", conv_dim=3, fc_dim=5, window_width=47, window_stride=18)
    assert (cnn.convs[0].out_channels, cnn.fc1.out_features) == (3, 5)
    assert (cnn.window_conv.kernel_size, cnn.window_conv.stride) == ((3, 5), (3, 2))
    lstm = build("line_cnn_lstm", conv_dim=3, fc_dim=5, lstm_dim=6, lstm_layers=2, lstm_dropout=0.3).lstm
    assert (lstm.forwards[0].input_size, lstm.forwards[0].hidden_size) == (83, 6)
    assert (len(lstm.forwards), len(lstm.backwards), lstm.dropout.p) == (2, 2, 0.3)


@pytest.mark.parametrize("name", MODELS)
def test_weights_come_from_pytorchs_generator(name: str) -> None:
    first, second = build(name), build(name)
    third = build_model(tiny_model(name), EMNIST.num_classes).double()
    for one, two, three in zip(first.parameters(), second.parameters(), third.parameters(), strict=True):
        assert torch.equal(one, two)
        assert one.ndim < 2 or not torch.equal(one, three)  # scales and biases may begin as constants


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("objective", ["each line its own steps", "all lines the same steps"])
@torch.no_grad()
def test_a_line_has_the_same_logits_alone_as_in_a_batch(name: str, objective: str) -> None:
    model, widths = build(name), [130, 28, 57, 200, 83]
    lengths = [model.windows.line_steps(width) for width in widths]
    if objective == "all lines the same steps":
        lengths = [30] * len(widths)
    images = noise_images(widths)
    together = model(images, lengths)
    for line, image, width, length in zip(together, images, widths, lengths, strict=True):
        alone = model(image[None, ..., :width], [length])
        assert alone.shape == (1, 83, length)
        torch.testing.assert_close(line[:, :length], alone[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["line_cnn", "line_cnn_lstm", *RESNETS])
@torch.no_grad()
def test_without_lengths_a_line_would_have_other_logits_in_a_batch(name: str) -> None:
    model, widths = build(name), [96, 200]
    images = noise_images(widths)
    alone = model(images[:1, ..., :96])
    together = model(images)[:1, :, : alone.shape[-1]]
    assert float((alone - together).abs().max()) > 1e-4


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_an_image_cut_at_its_ink_has_the_same_logits_as_with_endless_background(name: str) -> None:
    model, images = build(name), noise_images([150, 60])
    for lengths in ([19, 8], [40, 40], [3, 1]):
        cut = model(images, lengths)
        endless = model(nn.functional.pad(images, (0, 2000)), lengths)
        for row, length in enumerate(lengths):
            torch.testing.assert_close(cut[row, :, :length], endless[row, :, :length], rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_steps_past_a_lines_length_do_not_change_other_steps(name: str) -> None:
    model = build(name)
    images = noise_images([150, 60]).requires_grad_()
    logits = model(images, [19, 8])
    logits[0].sum().backward()
    assert images.grad is not None
    assert images.grad[0].abs().max() > 0
    assert images.grad[1].abs().max() == 0
