"""The lecture's third line model: a LineCNN whose logits a bidirectional LSTM reads on."""

from torch import Tensor, nn

from pipeline.models.base import LineModel
from pipeline.models.layers.bidirectional_lstm import BidirectionalLSTM
from pipeline.models.layers.lengths import Lengths
from pipeline.models.line_cnn import LineCNN


class LineCNNLSTM(LineModel):
    """LineCNN, LSTM, linear: images (B, 1, 28, W) float in [0, 1] to logits (B, C, S)."""

    raster = LineCNN.raster

    def __init__(
        self,
        num_classes: int,
        line_cnn: LineCNN,
        lstm_dim: int = 512,
        lstm_layers: int = 1,
        lstm_dropout: float = 0.2,
        *,
        intermediate: bool = False,
    ) -> None:
        super().__init__()
        self.line_cnn = line_cnn
        self.windows = line_cnn.windows
        self.lstm = BidirectionalLSTM(num_classes, lstm_dim, lstm_layers, lstm_dropout)
        self.fc = nn.Linear(lstm_dim, num_classes)
        self.intermediate = intermediate

    def forward(self, images: Tensor, lengths: Lengths | None = None) -> Tensor:
        """See `LineModel`. Both directions of the LSTM end with a line's own length."""
        return self._read_on(self.line_cnn(images, lengths), lengths)

    def logits_by_depth(self, images: Tensor, lengths: Lengths | None = None) -> list[Tensor]:
        """See `LineModel`; those of the LineCNN come first if they are wanted."""
        inner = self.line_cnn(images, lengths)
        return [*([inner] if self.intermediate else []), self._read_on(inner, lengths)]

    def _read_on(self, inner: Tensor, lengths: Lengths | None) -> Tensor:
        states = self.lstm(inner.transpose(1, 2), lengths)
        forwards, backwards = states.chunk(2, dim=-1)
        logits: Tensor = self.fc(forwards + backwards)
        return logits.transpose(1, 2)
