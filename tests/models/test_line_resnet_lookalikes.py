import pytest
import torch
from torch import nn

from pipeline.common.vocabulary import EMNIST
from pipeline.models.line_resnet_lookalikes import CHARACTER, LineResNetLookalikes
from pipeline.models.registry import build_model
from pipeline.settings.models import LineResNetLookalikesSettings
from tests.tiny import noise_images, tiny_model


def build(**changes: object) -> LineResNetLookalikes:
    model = build_model(LineResNetLookalikesSettings(name="line_resnet_lookalikes", **changes), EMNIST.num_classes)
    assert isinstance(model, LineResNetLookalikes)
    return model


def test_parameters() -> None:
    lstms = 2 * 4 * 256 * (256 + 256 + 2) + 2 * 4 * 256 * (512 + 256 + 2)
    # A norm, keys of 32 numbers for each head, two projections, two numbers a head and one for each state.
    attention = 2 * 256 + 256 * 8 * 32 + 2 * 513 * 512 + 2 * 8 + 512
    model = build(heads=8)
    resnet = sum(parameter.numel() for parameter in model.line_resnet.parameters())
    assert sum(parameter.numel() for parameter in model.parameters()) == resnet + lstms + attention + 513 * 83


def test_every_size_arrives() -> None:
    model = build(heads=2, lstm_dim=5, fc_dim=10, dropout=0.25)
    assert (model.first.forwards[0].hidden_size, model.second.forwards[0].hidden_size) == (5, 5)
    assert (len(model.lookalikes.alike), model.dropout.p) == (2, 0.25)


@pytest.mark.parametrize("stride", [4, 8])
def test_a_character_s_width_is_excluded(stride: int) -> None:
    assert build(window_stride=stride).lookalikes.excluded * stride == CHARACTER


@torch.no_grad()
def test_logits_depend_on_similar_steps() -> None:
    torch.manual_seed(0)
    model = build_model(tiny_model("line_resnet_lookalikes"), EMNIST.num_classes).eval()
    assert isinstance(model, LineResNetLookalikes)
    images = noise_images([160]).float()
    before = model(images)
    nn.init.zeros_(model.lookalikes.share)
    assert not torch.equal(model(images), before)
