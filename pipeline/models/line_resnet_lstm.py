"""A residual network, then bidirectional LSTM layers."""

from torch import Tensor

from pipeline.common.geometry import CELL
from pipeline.models.layers.bidirectional_lstm import BidirectionalLSTM
from pipeline.models.layers.lengths import Lengths
from pipeline.models.line_resnet import LineResNetModel
from pipeline.settings.models import LineResNetLSTMSettings


class LineResNetLSTM(LineResNetModel):
    """ResNet, LSTM, linear: images (B, 1, H, W) float in [0, 1] to logits (B, C, S)."""

    def __init__(self, num_classes: int, settings: LineResNetLSTMSettings, height: int = CELL) -> None:
        super().__init__(settings, height)
        self.lstm = BidirectionalLSTM(settings.fc_dim, settings.lstm_dim, settings.lstm_layers, settings.dropout)
        self.add_output_layers(num_classes, 2 * settings.lstm_dim, settings)

    def head(self, features: Tensor, lengths: Lengths | None) -> Tensor:
        """See `LineResNetModel`. Both directions of the LSTM end at a line's own length."""
        x = self.lstm(self.dropout(features), lengths)
        logits: Tensor = self.fc(self.dropout(x))
        return logits.transpose(1, 2)
