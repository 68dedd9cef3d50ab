"""Residual convolutions whose features bidirectional LSTM layers read on."""

from collections.abc import Sequence

from torch import Tensor, nn

from pipeline.models.bidirectional_lstm import BidirectionalLSTM
from pipeline.models.dropout import Dropout
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
        super().__init__()
        self.line_resnet = line_resnet
        self.windows = line_resnet.windows
        self.dropout = Dropout(dropout)
        self.lstm = BidirectionalLSTM(line_resnet.features, lstm_dim, lstm_layers, dropout)
        self.fc = nn.Linear(2 * lstm_dim, num_classes)
        self.intermediate = nn.Linear(line_resnet.features, num_classes) if intermediate else None

    def read_on(self, features: Tensor, lengths: Sequence[int] | None) -> Tensor:
        """See `LineResNetModel`. Both directions of the LSTM end with a line's own length."""
        features = self.dropout(features)
        states = self.lstm(features, [features.shape[1]] * len(features) if lengths is None else lengths)
        logits: Tensor = self.fc(self.dropout(states))
        return logits.transpose(1, 2)
