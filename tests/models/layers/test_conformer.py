"""Conformer blocks against the paper's formulas, written out for each step."""

import torch
from torch import Tensor, nn

from pipeline.models.layers.conformer import ConformerBlock, Convolution, FeedForward


def randomized(module: nn.Module) -> nn.Module:
    """In double precision, with nothing neutral."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -0.5, 1)
    return module.double().eval()


def swish(values: Tensor) -> Tensor:
    return values / (1 + (-values).exp())


def normal(values: Tensor, norm: nn.LayerNorm) -> Tensor:
    mean, variance = values.mean(-1, keepdim=True), values.var(-1, keepdim=True, correction=0)
    return (values - mean) / (variance + norm.eps).sqrt() * norm.weight + norm.bias


@torch.no_grad()
def test_feed_forward_by_its_formula() -> None:
    part = randomized(FeedForward(4, 0.3))
    norm, inner, _, _, outer, _ = part
    assert isinstance(norm, nn.LayerNorm)
    assert isinstance(inner, nn.Linear)
    assert isinstance(outer, nn.Linear)
    features = torch.randn(2, 3, 4).double()
    hidden = swish(normal(features, norm) @ inner.weight.T + inner.bias)
    assert inner.out_features == 16
    torch.testing.assert_close(part(features), hidden @ outer.weight.T + outer.bias)


@torch.no_grad()
def test_convolution_by_its_formula() -> None:
    part = randomized(Convolution(4, 3, 0.3))
    assert isinstance(part, Convolution)
    features = torch.randn(1, 5, 4).double()
    both = normal(features, part.norm) @ part.widen.weight.T + part.widen.bias
    gated = both[..., :4] / (1 + (-both[..., 4:]).exp())
    around = nn.functional.pad(gated, (0, 0, 1, 1))
    weight, bias = part.depthwise.weight, part.depthwise.bias
    assert bias is not None
    near = torch.stack([(around[0, s : s + 3] * weight[:, 0].T).sum(0) + bias for s in range(5)])[None]
    expected = swish(normal(near, part.inner_norm)) @ part.narrow.weight.T + part.narrow.bias
    torch.testing.assert_close(part(features, None), expected)


@torch.no_grad()
def test_a_block_is_its_parts_beside_shortcuts() -> None:
    block = randomized(ConformerBlock(4, 2, 3, 0.3))
    assert isinstance(block, ConformerBlock)
    x = torch.randn(2, 5, 4).double()
    expected = x + block.first(x) / 2
    inside = block.attention_norm(expected)
    expected = expected + block.attention(inside, inside, inside)[0]
    expected = expected + block.convolution(expected, None)
    expected = block.norm(expected + block.last(expected) / 2)
    torch.testing.assert_close(block(x, None), expected)


@torch.no_grad()
def test_steps_past_a_line_change_nothing_before() -> None:
    block = randomized(ConformerBlock(4, 2, 3, 0.0))
    x = torch.randn(1, 5, 4).double()
    mask = torch.tensor([[False, False, False, True, True]])
    torch.testing.assert_close(block(x, mask)[:, :3], block(x[:, :3], None))
    assert float((block(x, None)[:, :3] - block(x[:, :3], None)).abs().max()) > 1e-3
