"""The models that read on from a residual network."""

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from pipeline.common.errors import InputError
from pipeline.models.layers.conformer import ConformerBlock
from pipeline.models.layers.residual import DepthwiseBlock, ResidualBlock
from pipeline.models.line_resnet_conformer import LineResNetConformer
from pipeline.models.line_resnet_lookalikes import LineResNetLookalikes
from pipeline.models.line_resnet_lstm import LineResNetLSTM
from pipeline.models.line_resnet_transformer import LineResNetTransformer
from pipeline.models.registry import build_model
from pipeline.settings.base import validate
from pipeline.settings.experiment import ExperimentSettings
from pipeline.settings.models import ModelSettings
from tests.tiny import RESNETS, noise_images, tiny_model


def shipped(name: str, **changes: object) -> nn.Module:
    return build_model(TypeAdapter(ModelSettings).validate_python({"name": name, **changes}))


def test_parameters_of_the_lstm() -> None:
    # Without biases, and two numbers a channel for each norm. The stem sees 2 x 2 pixels as 4 channels.
    stem = 4 * 32 * 9 + 2 * 32
    blocks = sum(count * (2 * 9 * c * c + 4 * c) for c, count in ((32, 1), (64, 2), (128, 2)))
    merging = (4 * 32 * 64 + 2 * 64) + (2 * 64 * 128 + 2 * 128) + (4 * 2 * 128 * 256 + 2 * 256)
    lstm = 2 * 4 * 256 * (256 + 256 + 2)
    expected = stem + blocks + merging + lstm + (512 + 1) * 83
    model = shipped("line_resnet_lstm")
    assert isinstance(model, LineResNetLSTM)
    assert sum(parameter.numel() for parameter in model.parameters()) == expected == 2_141_459


def test_parameters_of_the_transformer() -> None:
    layer = 4 * 257 * 256 + 257 * 1024 + 1025 * 256 + 4 * 256
    model = shipped("line_resnet_transformer", layers=3)
    assert isinstance(model, LineResNetTransformer)
    resnet = sum(parameter.numel() for parameter in model.line_resnet.parameters())
    assert sum(parameter.numel() for parameter in model.parameters()) == resnet + 3 * layer + 512 + 257 * 83


def test_parameters_of_the_conformer() -> None:
    forward = 2 * 256 + 257 * 1024 + 1025 * 256
    attention = 2 * 256 + 4 * 257 * 256
    convolution = 2 * 256 + 257 * 512 + 256 * (9 + 1) + 2 * 256 + 257 * 256
    model = shipped("line_resnet_conformer", layers=3, kernel=9)
    assert isinstance(model, LineResNetConformer)
    resnet = sum(parameter.numel() for parameter in model.line_resnet.parameters())
    block = 2 * forward + attention + convolution + 2 * 256
    assert sum(parameter.numel() for parameter in model.parameters()) == resnet + 3 * block + 257 * 83


def test_parameters_of_the_lookalikes() -> None:
    lstms = 2 * 4 * 256 * (256 + 256 + 2) + 2 * 4 * 256 * (512 + 256 + 2)
    # A norm, keys of 32 numbers for each head, two projections, two numbers a head and one for each state.
    model = shipped("line_resnet_lookalikes", heads=8)
    lookalikes = 2 * 256 + 256 * 8 * 32 + 2 * 513 * 512 + 2 * 8 + 512
    assert isinstance(model, LineResNetLookalikes)
    resnet = sum(parameter.numel() for parameter in model.line_resnet.parameters())
    assert sum(parameter.numel() for parameter in model.parameters()) == resnet + lstms + lookalikes + 513 * 83


def test_every_size_arrives() -> None:
    changes = {"conv_dim": 3, "blocks_half": 0, "blocks_quarter": 2, "blocks_eighth": 3, "fc_dim": 10, "dropout": 0.25}
    lstm = shipped("line_resnet_lstm", window_stride=4, lstm_dim=5, lstm_layers=2, **changes)
    assert isinstance(lstm, LineResNetLSTM)
    channels = [m.in_channels for m in lstm.line_resnet.levels.modules() if isinstance(m, nn.Conv2d)]
    assert channels == [6] * 4 + [12] * 6
    assert (lstm.windows.stride, lstm.lstm.forwards[0].input_size, lstm.lstm.forwards[0].hidden_size) == (4, 10, 5)
    assert (len(lstm.lstm.forwards), lstm.dropout.p, lstm.lstm.dropout.p) == (2, 0.25, 0.25)
    transformer = shipped("line_resnet_transformer", heads=5, layers=2, **changes)
    assert isinstance(transformer, LineResNetTransformer)
    assert [layer.self_attn.num_heads for layer in transformer.encoder.layers] == [5, 5]
    assert {m.p for m in transformer.modules() if isinstance(m, nn.Dropout)} == {0.25}
    alike = shipped("line_resnet_lookalikes", heads=2, lstm_dim=5, **changes)
    assert isinstance(alike, LineResNetLookalikes)
    assert (alike.first.forwards[0].hidden_size, alike.second.forwards[0].hidden_size) == (5, 5)
    assert (len(alike.lookalikes.alike), alike.dropout.p) == (2, 0.25)
    conformer = shipped("line_resnet_conformer", heads=5, layers=2, kernel=7, **changes)
    blocks = [m for m in conformer.modules() if isinstance(m, ConformerBlock)]
    assert [(b.attention.num_heads, b.convolution.depthwise.kernel_size) for b in blocks] == [(5, (7,))] * 2
    assert {m.p for m in conformer.modules() if isinstance(m, nn.Dropout)} == {0.25}


def test_blocks_are_of_the_kind_that_is_named() -> None:
    made = {kind: shipped("line_resnet_lstm", block=kind, blocks_quarter=3) for kind in ("residual", "depthwise")}
    kinds = {
        name: [type(m) for m in model.modules() if isinstance(m, ResidualBlock | DepthwiseBlock)]
        for name, model in made.items()
    }
    assert kinds == {"residual": [ResidualBlock] * 6, "depthwise": [DepthwiseBlock] * 6}


def test_the_last_levels_stride_decides_what_merging_joins() -> None:
    joined = {
        last: [
            m.linear.in_features
            for m in shipped("line_resnet_lstm", last_stride=last).modules()
            if hasattr(m, "linear")
        ]
        for last in (4, 8)
    }
    # Channels times the height and width of a patch.
    assert joined == {4: [32 * 4, 64 * 2, 128 * 8], 8: [32 * 4, 64 * 4, 128 * 4]}


def test_the_last_level_is_as_fine_as_the_steps() -> None:
    model = {"name": "line_resnet_lstm", "window_stride": 4, "last_stride": 8}
    with pytest.raises(
        InputError, match=r"^params\.yaml: experiments\.x\.model: last_stride 8 must be at most window_stride 4$"
    ):
        validate(ExperimentSettings, {"lines": "x", "loss": "ctc", "model": model}, prefix=("experiments", "x"))


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ({"name": "line_resnet_transformer", "fc_dim": 10, "heads": 4}, "fc_dim 10 must be divisible by heads 4"),
        ({"name": "line_resnet_conformer", "fc_dim": 10, "heads": 4}, "fc_dim 10 must be divisible by heads 4"),
        ({"name": "line_resnet_lookalikes", "lstm_dim": 5}, "twice lstm_dim 5 must be divisible by heads 4"),
        ({"name": "line_resnet_conformer", "kernel": 4}, "kernel 4 must be odd"),
    ],
)
def test_sizes_must_go_together(model: dict[str, object], problem: str) -> None:
    block = {"lines": "x", "loss": "ctc", "model": model}
    with pytest.raises(InputError, match=rf"^params\.yaml: experiments\.x\.model: {problem}$"):
        validate(ExperimentSettings, block, prefix=("experiments", "x"))


@torch.no_grad()
def test_what_reads_on_ends_with_each_line() -> None:
    for name in RESNETS:
        torch.manual_seed(0)
        model = build_model(tiny_model(name)).double().eval()
        images, lengths = noise_images([60, 150]), [8, 19]
        logits = model(images, lengths)
        alone = model(images[:1, ..., :60], [8])
        torch.testing.assert_close(logits[0, :, :8], alone[0], rtol=0, atol=1e-9)
        whole = model(images, [19, 19])
        assert float((whole[0, :, :8] - alone[0]).abs().max()) > 1e-4


@pytest.mark.parametrize("name", RESNETS)
def test_dropout_acts_in_training_only(name: str) -> None:
    torch.manual_seed(0)
    model = build_model(tiny_model(name, dropout=0.5)).double().eval()
    images = noise_images([120])
    assert torch.equal(model(images), model(images))
    for module in model.modules():
        if not isinstance(module, nn.BatchNorm2d):
            module.training = True
    assert not torch.equal(model(images), model(images))
