"""Residual convolutions whose features bidirectional LSTM layers read on."""

from collections.abc import Sequence

from torch import Tensor, nn

from pipeline.models.base import LineModel
from pipeline.models.bidirectional_lstm import BidirectionalLSTM
from pipeline.models.dropout import Dropout
from pipeline.models.line_resnet import LineResNet


class LineResNetLSTM(LineModel):
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

    def forward(self, images: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        """See `LineModel`. Both directions of the LSTM end with a line's own length."""
        return self._read_on(self.line_resnet(images, lengths), lengths)

    def logits_by_depth(self, images: Tensor, lengths: Sequence[int] | None = None) -> list[Tensor]:
        """See `LineModel`; those from the ResNet's features come first if they are wanted."""
        features = self.line_resnet(images, lengths)
        inner = [self.intermediate(features).transpose(1, 2)] if self.intermediate else []
        return [*inner, self._read_on(features, lengths)]

    def _read_on(self, features: Tensor, lengths: Sequence[int] | None) -> Tensor:
        features = self.dropout(features)
        states = self.lstm(features, [features.shape[1]] * len(features) if lengths is None else lengths)
        logits: Tensor = self.fc(self.dropout(states))
        return logits.transpose(1, 2)
