from torch import nn

from pipeline.common.vocabulary import EMNIST
from pipeline.models.line_resnet_lstm import LineResNetLSTM
from pipeline.models.registry import build_model
from pipeline.settings.models import LineResNetLSTMSettings


def build(**changes: object) -> LineResNetLSTM:
    model = build_model(LineResNetLSTMSettings(name="line_resnet_lstm", **changes), EMNIST.num_classes)
    assert isinstance(model, LineResNetLSTM)
    return model


def test_parameters() -> None:
    # Without biases, and two numbers a channel for each norm. The stem sees 2 x 2 pixels as 4 channels.
    stem = 4 * 32 * 9 + 2 * 32
    blocks = sum(count * (2 * 9 * c * c + 4 * c) for c, count in ((32, 1), (64, 2), (128, 2)))
    merging = (4 * 32 * 64 + 2 * 64) + (2 * 64 * 128 + 2 * 128) + (4 * 2 * 128 * 256 + 2 * 256)
    lstm = 2 * 4 * 256 * (256 + 256 + 2)
    expected = stem + blocks + merging + lstm + (512 + 1) * 83
    assert sum(parameter.numel() for parameter in build().parameters()) == expected == 2_141_459


def test_every_size_arrives() -> None:
    sizes = {"conv_dim": 3, "blocks_half": 0, "blocks_quarter": 2, "blocks_eighth": 3, "fc_dim": 10, "dropout": 0.25}
    model = build(window_stride=4, lstm_dim=5, lstm_layers=2, **sizes)
    channels = [m.in_channels for m in model.line_resnet.levels.modules() if isinstance(m, nn.Conv2d)]
    assert channels == [6] * 4 + [12] * 6
    assert (model.windows.stride, model.lstm.forwards[0].input_size, model.lstm.forwards[0].hidden_size) == (4, 10, 5)
    assert (len(model.lstm.forwards), model.dropout.p, model.lstm.dropout.p) == (2, 0.25, 0.25)
