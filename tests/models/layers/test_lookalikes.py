"""Attention between steps that look alike, against its formula written out, and what it must never do."""

import math

import pytest
import torch
from torch import Tensor, nn

from pipeline.models.layers.lookalikes import ALIKE, FLOOR, SHARPNESS, Lookalikes
from pipeline.models.line_resnet_lookalikes import CHARACTER, LineResNetLookalikes
from pipeline.models.registry import build_model
from tests.tiny import noise_images, tiny_model


def made(near: int = 1, heads: int = 2) -> Lookalikes:
    """Looks of 6 numbers compared by 3, states of 4, in double precision."""
    torch.manual_seed(0)
    return Lookalikes(6, 4, heads, near, size=3).double()


def written_out(part: Lookalikes, looks: Tensor, states: Tensor) -> Tensor:
    """What one line (S, F), (S, D) takes from itself."""
    keys, values, found = part.key(part.norm(looks)), part.value(states), torch.zeros_like(states)
    for head, alike in enumerate(part.alike):
        key = keys[:, 3 * head : 3 * head + 3]
        key = torch.stack([k / math.sqrt(float(k @ k) + FLOOR) for k in key])
        value = values[:, 2 * head : 2 * head + 2]
        for step in range(len(looks)):
            others = [other for other in range(len(looks)) if abs(other - step) > part.near]
            sharpness = part.log_sharpness[head].exp()
            odds = [math.exp(float(sharpness * (key[step] @ key[other] - alike))) for other in others]
            for other, odd in zip(others, odds, strict=True):
                found[step, 2 * head : 2 * head + 2] += odd / (1 + sum(odds)) * value[other]
    return part.share * part.out(found)


@torch.no_grad()
def test_by_the_formula() -> None:
    part = made()
    for parameter in (part.alike, part.log_sharpness, part.share):
        nn.init.uniform_(parameter, 0.2, 1.5)
    looks, states = torch.randn(2, 7, 6).double(), torch.randn(2, 7, 4).double()
    expected = torch.stack([written_out(part, *line) for line in zip(looks, states, strict=True)])
    torch.testing.assert_close(part(looks, states, None), expected)


@torch.no_grad()
def test_the_same_shape_elsewhere_is_asked() -> None:
    part = Lookalikes(32, 8, 1, near=2)
    nn.init.eye_(part.key.weight)
    looks = torch.eye(32)[None, :12]  # at right angles: of random ones, some look alike by chance
    looks[0, 9] = looks[0, 1]
    weights = part.weights(looks, None)[0, 0]
    assert weights[1].argmax() == 9
    assert weights[9].argmax() == 1
    found = float(weights[1, 9])
    assert found > 0.9 * (1 - 1 / (1 + math.exp(SHARPNESS * (1 - ALIKE))))
    assert float(weights[[0, *range(2, 9), 10, 11]].max()) < found / 2


@torch.no_grad()
def test_near_steps_and_those_beyond_the_line_are_not_asked() -> None:
    beyond = torch.tensor([[False] * 7, [False] * 4 + [True] * 3])
    weights = made().weights(torch.randn(2, 7, 6).double(), beyond)
    places = torch.arange(7)
    asked = ((places[:, None] - places).abs() > 1) & ~beyond[:, None, :]
    assert torch.equal(weights > 0, asked[:, None].expand_as(weights))
    assert float(weights.sum(-1).max()) < 1


@torch.no_grad()
def test_steps_beyond_a_line_change_nothing_before() -> None:
    part, looks, states = made(), torch.randn(1, 5, 6).double(), torch.randn(1, 5, 4).double()
    beyond = torch.tensor([[False, False, False, True, True]])
    torch.testing.assert_close(part(looks, states, beyond)[:, :3], part(looks[:, :3], states[:, :3], None))
    assert float((part(looks, states, None)[:, :3] - part(looks[:, :3], states[:, :3], None)).abs().max()) > 1e-3


@pytest.mark.parametrize("steps", [1, 2, 3])
@torch.no_grad()
def test_where_all_steps_are_near_nothing_is_found(steps: int) -> None:
    part = made(near=2)
    found = part(torch.randn(1, steps, 6).double(), torch.randn(1, steps, 4).double(), None)
    torch.testing.assert_close(found, (part.share * part.out.bias).expand_as(found))


def test_steps_without_any_look_leave_gradients_small() -> None:
    part, looks = made(), torch.zeros(1, 9, 6, dtype=torch.float64)
    looks[0, ::2] = 1e-9 * torch.randn(5, 6).double()
    part(looks, torch.randn(1, 9, 4).double(), None).square().sum().backward()
    assert part.key.weight.grad is not None
    assert float(part.key.weight.grad.abs().max()) < 1


@pytest.mark.parametrize("stride", [4, 8])
def test_near_is_a_characters_width(stride: int) -> None:
    model = build_model(tiny_model("line_resnet_lookalikes", window_stride=stride))
    assert isinstance(model, LineResNetLookalikes)
    assert model.lookalikes.near * stride == CHARACTER


@torch.no_grad()
def test_what_looks_alike_is_part_of_the_reading() -> None:
    torch.manual_seed(0)
    model = build_model(tiny_model("line_resnet_lookalikes")).eval()
    assert isinstance(model, LineResNetLookalikes)
    images = noise_images([160]).float()
    before = model(images)
    nn.init.zeros_(model.lookalikes.share)
    assert not torch.equal(model(images), before)
