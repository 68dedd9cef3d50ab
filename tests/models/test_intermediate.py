"""Logits that later layers read on from, which have a share of the loss in training."""

import pytest
import torch

from pipeline.common.vocabulary import NUM_CLASSES
from pipeline.models.base import LineModel
from pipeline.models.registry import build_model
from tests.tiny import MODELS, RESNETS, noise_images, tiny_model

DEEP = ("line_cnn_lstm", *RESNETS)
LENGTHS = [8, 19]


def build(name: str, **changes: object) -> LineModel:
    torch.manual_seed(0)
    return build_model(tiny_model(name, **changes)).double().eval()


def images() -> torch.Tensor:
    return noise_images([60, 150])


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_a_model_without_them_has_its_own_logits_alone(name: str) -> None:
    model = build(name)
    (only,) = model.logits_by_depth(images(), LENGTHS)
    assert torch.equal(only, model(images(), LENGTHS))


@pytest.mark.parametrize("name", DEEP)
@torch.no_grad()
def test_its_own_logits_come_last_and_stay_what_they_were(name: str) -> None:
    model, without = build(name, intermediate=True), build(name)
    without.load_state_dict(model.state_dict(), strict=False)
    inner, own = model.logits_by_depth(images(), LENGTHS)
    assert inner.shape == own.shape == (2, NUM_CLASSES, max(LENGTHS))
    assert torch.equal(own, model(images(), LENGTHS))
    assert torch.equal(own, without(images(), LENGTHS))
    assert not torch.allclose(inner, own)


@torch.no_grad()
def test_the_lecture_s_lstm_reads_the_line_cnns_logits() -> None:
    model = build("line_cnn_lstm", intermediate=True)
    assert torch.equal(model.logits_by_depth(images(), LENGTHS)[0], model.line_cnn(images(), LENGTHS))
    assert model.state_dict().keys() == build("line_cnn_lstm").state_dict().keys()


@pytest.mark.parametrize("name", RESNETS)
@torch.no_grad()
def test_features_of_a_resnet_get_a_layer_of_their_own(name: str) -> None:
    model = build(name, intermediate=True)
    inner = model.logits_by_depth(images(), LENGTHS)[0]
    features = model.line_resnet(images(), LENGTHS)
    assert torch.equal(inner, model.intermediate(features).transpose(1, 2))
    added = model.state_dict().keys() - build(name).state_dict().keys()
    assert added == {"intermediate.weight", "intermediate.bias"}


@pytest.mark.parametrize("name", DEEP)
def test_its_loss_teaches_what_lies_below_alone(name: str) -> None:
    model = build(name, intermediate=True)
    model.logits_by_depth(images(), LENGTHS)[0].square().sum().backward()
    taught = {key.partition(".")[0] for key, value in model.named_parameters() if value.grad is not None}
    assert taught == ({"line_cnn"} if name == "line_cnn_lstm" else {"line_resnet", "intermediate"})
