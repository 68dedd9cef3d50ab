from torch import nn

from pipeline.common.vocabulary import EMNIST
from pipeline.models.line_resnet_transformer import LineResNetTransformer
from pipeline.models.registry import build_model
from pipeline.settings.models import LineResNetTransformerSettings


def build(**changes: object) -> LineResNetTransformer:
    model = build_model(LineResNetTransformerSettings(name="line_resnet_transformer", **changes), EMNIST.num_classes)
    assert isinstance(model, LineResNetTransformer)
    return model


def test_parameters() -> None:
    layer = 4 * 257 * 256 + 257 * 1024 + 1025 * 256 + 4 * 256
    model = build(layers=3)
    resnet = sum(parameter.numel() for parameter in model.line_resnet.parameters())
    assert sum(parameter.numel() for parameter in model.parameters()) == resnet + 3 * layer + 512 + 257 * 83


def test_every_size_arrives() -> None:
    model = build(heads=5, layers=2, fc_dim=10, dropout=0.25)
    assert [layer.self_attn.num_heads for layer in model.encoder.layers] == [5, 5]
    assert {m.p for m in model.modules() if isinstance(m, nn.Dropout)} == {0.25}
