"""Intermediate logits, whose loss is a part of the loss in training."""

import pytest
import torch

from pipeline.common.vocabulary import EMNIST
from pipeline.models.base import LineModel
from pipeline.models.registry import build_model
from tests.tiny import MODELS, RESNETS, noise_images, tiny_model

DEEP = ("line_cnn_lstm", *RESNETS)
LENGTHS = [8, 19]


def build(name: str, **changes: object) -> LineModel:
    torch.manual_seed(0)
    return build_model(tiny_model(name, **changes), EMNIST.num_classes).double().eval()


def images() -> torch.Tensor:
    return noise_images([60, 150])


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_a_model_without_them_has_only_its_own_logits(name: str) -> None:
    model = build(name)
    (only,) = model.logits_by_depth(images(), LENGTHS)
    assert torch.equal(only, model(images(), LENGTHS))


@pytest.mark.parametrize("name", DEEP)
@torch.no_grad()
def test_its_own_logits_come_last_and_do_not_change(name: str) -> None:
    model, without = build(name, intermediate=True), build(name)
    without.load_state_dict(model.state_dict(), strict=False)
    inner, own = model.logits_by_depth(images(), LENGTHS)
    assert inner.shape == own.shape == (2, EMNIST.num_classes, max(LENGTHS))
    assert torch.equal(own, model(images(), LENGTHS))
    assert torch.equal(own, without(images(), LENGTHS))
    assert not torch.allclose(inner, own)


@torch.no_grad()
def test_those_of_the_lectures_lstm_are_the_line_cnns() -> None:
    model = build("line_cnn_lstm", intermediate=True)
    assert torch.equal(model.logits_by_depth(images(), LENGTHS)[0], model.line_cnn(images(), LENGTHS))
    assert model.state_dict().keys() == build("line_cnn_lstm").state_dict().keys()


@pytest.mark.parametrize("name", RESNETS)
@torch.no_grad()
def test_the_features_of_a_resnet_get_their_own_layer(name: str) -> None:
    model = build(name, intermediate=True)
    inner = model.logits_by_depth(images(), LENGTHS)[0]
    features = model.line_resnet(images(), LENGTHS)
    assert torch.equal(inner, model.intermediate(features).transpose(1, 2))
    added = model.state_dict().keys() - build(name).state_dict().keys()
    assert added == {"intermediate.weight", "intermediate.bias"}


@pytest.mark.parametrize("name", DEEP)
def test_their_loss_trains_only_the_layers_before_them(name: str) -> None:
    model = build(name, intermediate=True)
    model.logits_by_depth(images(), LENGTHS)[0].square().sum().backward()
    trained = {key.partition(".")[0] for key, value in model.named_parameters() if value.grad is not None}
    assert trained == ({"line_cnn"} if name == "line_cnn_lstm" else {"line_resnet", "intermediate"})
