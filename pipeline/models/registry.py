"""The one place where models are named."""

from pipeline.models.base import LineModel
from pipeline.models.line_cnn import LineCNN
from pipeline.models.line_cnn_lstm import LineCNNLSTM
from pipeline.models.line_cnn_simple import LineCNNSimple
from pipeline.models.line_resnet import LineResNet
from pipeline.models.line_resnet_lstm import LineResNetLSTM
from pipeline.models.line_resnet_transformer import LineResNetTransformer
from pipeline.settings.experiment import (
    LineCNNLSTMSettings,
    LineCNNSettings,
    LineCNNSimpleSettings,
    ModelSettings,
)
from pipeline.settings.line_resnet import LineResNetLSTMSettings, LineResNetTransformerSettings
from pipeline.vocabulary import NUM_CLASSES


def build_model(settings: ModelSettings) -> LineModel:
    """The model that `settings` describe, with fresh weights from PyTorch's generator."""
    if isinstance(settings, LineCNNSimpleSettings):
        return LineCNNSimple(NUM_CLASSES, settings.windows, settings.conv_dim, settings.fc_dim)
    if isinstance(settings, LineCNNLSTMSettings):
        cnn = LineCNN(NUM_CLASSES, settings.windows, settings.conv_dim, settings.fc_dim)
        sizes = settings.lstm_dim, settings.lstm_layers
        return LineCNNLSTM(NUM_CLASSES, cnn, *sizes, settings.lstm_dropout, intermediate=settings.intermediate)
    if isinstance(settings, LineResNetLSTMSettings | LineResNetTransformerSettings):
        resnet = LineResNet(settings.windows, settings.conv_dim, settings.blocks, settings.fc_dim, settings.last_stride)
        dropout, intermediate = settings.dropout, settings.intermediate
        if isinstance(settings, LineResNetLSTMSettings):
            sizes = settings.lstm_dim, settings.lstm_layers
            return LineResNetLSTM(NUM_CLASSES, resnet, *sizes, dropout, intermediate=intermediate)
        sizes = settings.heads, settings.layers
        return LineResNetTransformer(NUM_CLASSES, resnet, *sizes, dropout, intermediate=intermediate)
    assert isinstance(settings, LineCNNSettings)
    return LineCNN(NUM_CLASSES, settings.windows, settings.conv_dim, settings.fc_dim)
