"""The one place where models are named."""

from pipeline.common.vocabulary import NUM_CLASSES
from pipeline.models.base import LineModel
from pipeline.models.line_cnn import LineCNN
from pipeline.models.line_cnn_lstm import LineCNNLSTM
from pipeline.models.line_cnn_simple import LineCNNSimple
from pipeline.models.line_resnet import LineResNet
from pipeline.models.line_resnet_conformer import LineResNetConformer
from pipeline.models.line_resnet_lookalikes import LineResNetLookalikes
from pipeline.models.line_resnet_lstm import LineResNetLSTM
from pipeline.models.line_resnet_transformer import LineResNetTransformer
from pipeline.settings.models import (
    LineCNNLSTMSettings,
    LineCNNSettings,
    LineCNNSimpleSettings,
    LineResNetConformerSettings,
    LineResNetLookalikesSettings,
    LineResNetLSTMSettings,
    LineResNetSettings,
    LineResNetTransformerSettings,
    ModelSettings,
)


def build_model(settings: ModelSettings) -> LineModel:
    """The model that `settings` describe, with fresh weights from PyTorch's generator."""
    if isinstance(settings, LineCNNSimpleSettings):
        return LineCNNSimple(NUM_CLASSES, settings.windows, settings.conv_dim, settings.fc_dim)
    if isinstance(settings, LineCNNLSTMSettings):
        cnn = LineCNN(NUM_CLASSES, settings.windows, settings.conv_dim, settings.fc_dim)
        sizes = settings.lstm_dim, settings.lstm_layers
        return LineCNNLSTM(NUM_CLASSES, cnn, *sizes, settings.lstm_dropout, intermediate=settings.intermediate)
    if isinstance(settings, LineResNetSettings):
        return _build_on_resnet(settings)
    assert isinstance(settings, LineCNNSettings)
    return LineCNN(NUM_CLASSES, settings.windows, settings.conv_dim, settings.fc_dim)


def _build_on_resnet(settings: LineResNetSettings) -> LineModel:
    sizes = settings.conv_dim, settings.blocks, settings.fc_dim, settings.last_stride, settings.block
    resnet, dropout, intermediate = LineResNet(settings.windows, *sizes), settings.dropout, settings.intermediate
    if isinstance(settings, LineResNetLSTMSettings):
        lstm = settings.lstm_dim, settings.lstm_layers
        return LineResNetLSTM(NUM_CLASSES, resnet, *lstm, dropout, intermediate=intermediate)
    if isinstance(settings, LineResNetConformerSettings):
        conformer = settings.heads, settings.layers, settings.kernel
        return LineResNetConformer(NUM_CLASSES, resnet, *conformer, dropout, intermediate=intermediate)
    if isinstance(settings, LineResNetLookalikesSettings):
        sizes_of_states = settings.lstm_dim, settings.heads
        return LineResNetLookalikes(NUM_CLASSES, resnet, *sizes_of_states, dropout, intermediate=intermediate)
    assert isinstance(settings, LineResNetTransformerSettings)
    encoder = settings.heads, settings.layers
    return LineResNetTransformer(NUM_CLASSES, resnet, *encoder, dropout, intermediate=intermediate)
