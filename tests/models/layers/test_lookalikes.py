"""Attention between similar steps, against its formula written out, and what it must never do."""

import math

import pytest
import torch
from torch import Tensor, nn

from pipeline.models.layers.lookalikes import EPSILON, INITIAL_SCALE, INITIAL_THRESHOLD, LookalikeAttention


def made(excluded: int = 1, heads: int = 2) -> LookalikeAttention:
    """6 features, of which heads compare 3 numbers, and 4 hidden states, in double precision."""
    torch.manual_seed(0)
    return LookalikeAttention(6, 4, heads, excluded, size=3).double()


def written_out(part: LookalikeAttention, features: Tensor, states: Tensor) -> Tensor:
    """The output (S, D) of one line, with features (S, F) and states (S, D)."""
    keys, values, found = part.key(part.norm(features)), part.value(states), torch.zeros_like(states)
    for head, threshold in enumerate(part.alike):
        key = keys[:, 3 * head : 3 * head + 3]
        key = torch.stack([k / math.sqrt(float(k @ k) + EPSILON) for k in key])
        value = values[:, 2 * head : 2 * head + 2]
        for step in range(len(features)):
            others = [other for other in range(len(features)) if abs(other - step) > part.excluded]
            sharpness = part.log_sharpness[head].exp()
            odds = [math.exp(float(sharpness * (key[step] @ key[other] - threshold))) for other in others]
            for other, odd in zip(others, odds, strict=True):
                found[step, 2 * head : 2 * head + 2] += odd / (1 + sum(odds)) * value[other]
    return part.share * part.out(found)


@torch.no_grad()
def test_by_the_formula() -> None:
    part = made()
    for parameter in (part.alike, part.log_sharpness, part.share):
        nn.init.uniform_(parameter, 0.2, 1.5)
    features, states = torch.randn(2, 7, 6).double(), torch.randn(2, 7, 4).double()
    expected = torch.stack([written_out(part, *line) for line in zip(features, states, strict=True)])
    torch.testing.assert_close(part(features, states, None), expected)


@torch.no_grad()
def test_steps_attend_to_the_same_shape_elsewhere() -> None:
    part = LookalikeAttention(32, 8, 1, excluded=2)
    nn.init.eye_(part.key.weight)
    features = torch.eye(32)[None, :12]  # at right angles: some random ones would be similar by chance
    features[0, 9] = features[0, 1]
    weights = part.weights(features, None)[0, 0]
    assert weights[1].argmax() == 9
    assert weights[9].argmax() == 1
    found = float(weights[1, 9])
    assert found > 0.9 * (1 - 1 / (1 + math.exp(INITIAL_SCALE * (1 - INITIAL_THRESHOLD))))
    assert float(weights[[0, *range(2, 9), 10, 11]].max()) < found / 2


@torch.no_grad()
def test_steps_attend_neither_to_neighbours_nor_past_the_line() -> None:
    mask = torch.tensor([[False] * 7, [False] * 4 + [True] * 3])
    weights = made().weights(torch.randn(2, 7, 6).double(), mask)
    steps = torch.arange(7)
    allowed = ((steps[:, None] - steps).abs() > 1) & ~mask[:, None, :]
    assert torch.equal(weights > 0, allowed[:, None].expand_as(weights))
    assert float(weights.sum(-1).max()) < 1


@torch.no_grad()
def test_steps_past_a_line_change_nothing_before() -> None:
    part, features, states = made(), torch.randn(1, 5, 6).double(), torch.randn(1, 5, 4).double()
    mask = torch.tensor([[False, False, False, True, True]])
    torch.testing.assert_close(part(features, states, mask)[:, :3], part(features[:, :3], states[:, :3], None))
    assert float((part(features, states, None)[:, :3] - part(features[:, :3], states[:, :3], None)).abs().max()) > 1e-3


@pytest.mark.parametrize("steps", [1, 2, 3])
@torch.no_grad()
def test_where_all_steps_are_neighbours_only_the_bias_is_left(steps: int) -> None:
    part = made(excluded=2)
    found = part(torch.randn(1, steps, 6).double(), torch.randn(1, steps, 4).double(), None)
    torch.testing.assert_close(found, (part.share * part.out.bias).expand_as(found))


def test_gradients_of_tiny_features_stay_small() -> None:
    part, features = made(), torch.zeros(1, 9, 6, dtype=torch.float64)
    features[0, ::2] = 1e-9 * torch.randn(5, 6).double()
    part(features, torch.randn(1, 9, 4).double(), None).square().sum().backward()
    assert part.key.weight.grad is not None
    assert float(part.key.weight.grad.abs().max()) < 1
