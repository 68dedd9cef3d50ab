from torch import nn

from pipeline.common.vocabulary import EMNIST
from pipeline.models.layers.conformer import ConformerBlock
from pipeline.models.line_resnet_conformer import LineResNetConformer
from pipeline.models.registry import build_model
from pipeline.settings.models import LineResNetConformerSettings


def build(**changes: object) -> LineResNetConformer:
    model = build_model(LineResNetConformerSettings(name="line_resnet_conformer", **changes), EMNIST.num_classes)
    assert isinstance(model, LineResNetConformer)
    return model


def test_parameters() -> None:
    forward = 2 * 256 + 257 * 1024 + 1025 * 256
    attention = 2 * 256 + 4 * 257 * 256
    convolution = 2 * 256 + 257 * 512 + 256 * (9 + 1) + 2 * 256 + 257 * 256
    model = build(layers=3, kernel=9)
    resnet = sum(parameter.numel() for parameter in model.line_resnet.parameters())
    block = 2 * forward + attention + convolution + 2 * 256
    assert sum(parameter.numel() for parameter in model.parameters()) == resnet + 3 * block + 257 * 83


def test_every_size_arrives() -> None:
    model = build(heads=5, layers=2, kernel=7, fc_dim=10, dropout=0.25)
    blocks = [m for m in model.modules() if isinstance(m, ConformerBlock)]
    assert [(b.attention.num_heads, b.convolution.depthwise.kernel_size) for b in blocks] == [(5, (7,))] * 2
    assert {m.p for m in model.modules() if isinstance(m, nn.Dropout)} == {0.25}
