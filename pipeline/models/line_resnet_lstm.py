"""Residual convolutions whose features bidirectional LSTM layers read on."""

from torch import Tensor

from pipeline.models.layers.bidirectional_lstm import BidirectionalLSTM
from pipeline.models.layers.lengths import Lengths
from pipeline.models.line_resnet import LineResNet
from pipeline.models.line_resnet_model import LineResNetModel


class LineResNetLSTM(LineResNetModel):
    """ResNet, LSTM, linear: images (B, 1, 28, W) float in [0, 1] to logits (B, C, S)."""

    def __init__(
        self,
        num_classes: int,
        line_resnet: LineResNet,
        lstm_dim: int = 256,
        lstm_layers: int = 1,
        dropout: float = 0.0,
        *,
        intermediate: bool = False,
    ) -> None:
        super().__init__(line_resnet, dropout)
        self.lstm = BidirectionalLSTM(line_resnet.features, lstm_dim, lstm_layers, dropout)
        self.add_logits(num_classes, 2 * lstm_dim, intermediate=intermediate)

    def read_on(self, features: Tensor, lengths: Lengths | None) -> Tensor:
        """See `LineResNetModel`. Both directions of the LSTM end with a line's own length."""
        states = self.lstm(self.dropout(features), lengths)
        logits: Tensor = self.fc(self.dropout(states))
        return logits.transpose(1, 2)
