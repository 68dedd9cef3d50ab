"""The lecture's third line model: a LineCNN, and a bidirectional LSTM over its logits."""

from torch import Tensor, nn

from pipeline.common.geometry import CELL
from pipeline.models.base import LineModel
from pipeline.models.layers.bidirectional_lstm import BidirectionalLSTM
from pipeline.models.layers.lengths import Lengths
from pipeline.models.line_cnn import LineCNN
from pipeline.settings.models import LineCNNLSTMSettings


class LineCNNLSTM(LineModel):
    """LineCNN, LSTM, linear: images (B, 1, H, W) float in [0, 1] to logits (B, C, S)."""

    width_multiple = LineCNN.width_multiple

    def __init__(self, num_classes: int, settings: LineCNNLSTMSettings, height: int = CELL) -> None:
        super().__init__()
        self.height = height
        self.windows = settings.windows
        self.intermediate = settings.intermediate
        self.line_cnn = LineCNN(num_classes, settings, height)
        self.lstm = BidirectionalLSTM(num_classes, settings.lstm_dim, settings.lstm_layers, settings.lstm_dropout)
        self.fc = nn.Linear(settings.lstm_dim, num_classes)

    def forward(self, images: Tensor, lengths: Lengths | None = None) -> Tensor:
        """See `LineModel`. Both directions of the LSTM end at a line's own length."""
        return self.head(self.line_cnn(images, lengths), lengths)

    def logits_by_depth(self, images: Tensor, lengths: Lengths | None = None) -> list[Tensor]:
        """See `LineModel`. The intermediate logits are those of the LineCNN."""
        inner = self.line_cnn(images, lengths)
        return [*([inner] if self.intermediate else []), self.head(inner, lengths)]

    def head(self, inner: Tensor, lengths: Lengths | None) -> Tensor:
        """The LineCNN's logits (B, C, S) to logits (B, C, S)."""
        states = self.lstm(inner.transpose(1, 2), lengths)
        forwards, backwards = states.chunk(2, dim=-1)
        logits: Tensor = self.fc(forwards + backwards)
        return logits.transpose(1, 2)
