import pytest
import torch
from torch import Tensor, nn

from pipeline.models.line_cnn_lstm import LineCNNLSTM
from pipeline.settings.models import LineCNNLSTMSettings
from tests.models.layers.test_bidirectional_lstm import run_direction
from tests.tiny import noise_images


def build(classes: int, **sizes: int) -> LineCNNLSTM:
    torch.manual_seed(0)
    settings = LineCNNLSTMSettings(name="line_cnn_lstm", window_width=24, window_stride=16, **sizes)
    return LineCNNLSTM(classes, settings)


def make() -> LineCNNLSTM:
    return build(7, conv_dim=2, fc_dim=6, lstm_dim=5).double().eval()


def by_hand(model: LineCNNLSTM, logits: Tensor) -> Tensor:
    """The LineCNN's logits (C, S) to logits (C, S): both directions summed, then the linear layer."""
    ahead = run_direction(model.lstm.forwards[0], logits.T)
    behind = run_direction(model.lstm.backwards[0], logits.T.flip(0)).flip(0)
    return model.fc(ahead + behind).T


def test_it_has_the_lectures_parameters() -> None:
    model = build(83)
    # Each direction has 4 gates of 512 with 83 inputs, 512 states and two biases; the last layer 512 to 83.
    assert sum(p.numel() for p in model.parameters()) == 1_200_499 + 2 * 2048 * (83 + 512 + 2) + 513 * 83
    assert sum(p.numel() for p in model.parameters()) == 3_688_390
    assert model.windows == model.line_cnn.windows


@pytest.mark.parametrize(("image_width", "steps"), [(896, 55), (100, 6), (24, 1)])
def test_steps_are_those_of_the_line_cnn(image_width: int, steps: int) -> None:
    assert make()(torch.zeros(2, 1, 28, image_width).double()).shape == (2, 7, steps)


@torch.no_grad()
def test_directions_run_over_the_whole_image_and_are_summed() -> None:
    model, images = make(), noise_images([150, 90])
    for line, image in zip(model(images), images, strict=True):
        expected = by_hand(model, model.line_cnn(image[None])[0])
        torch.testing.assert_close(line, expected, rtol=0, atol=1e-12)


@torch.no_grad()
def test_directions_end_with_each_line() -> None:
    model, images = make(), noise_images([60, 150, 90])
    lengths = [4, 10, 6]
    endless = nn.functional.pad(images, (0, 2000))
    logits = model(images, lengths)
    assert logits.shape == (3, 7, 10)
    for line, image, length in zip(logits, endless, lengths, strict=True):
        expected = by_hand(model, model.line_cnn(image[None])[0, :, :length])
        torch.testing.assert_close(line[:, :length], expected, rtol=0, atol=1e-9)


@torch.no_grad()
def test_a_padded_image_would_change_the_logits() -> None:
    model, images = make(), noise_images([100])
    plain = model(images)
    padded = model(nn.functional.pad(images, (0, 400)))[..., : plain.shape[-1]]
    assert float((plain - padded).abs().max()) > 1e-3
