"""A residual network, then LSTM layers with attention between similar steps of the line."""

from torch import Tensor

from pipeline.common.geometry import CELL
from pipeline.models.layers.attention import key_padding_mask
from pipeline.models.layers.bidirectional_lstm import BidirectionalLSTM
from pipeline.models.layers.lengths import Lengths
from pipeline.models.layers.lookalikes import LookalikeAttention
from pipeline.models.line_resnet import LineResNetModel
from pipeline.settings.models import LineResNetLookalikesSettings

CHARACTER = 16
"""Steps within this many pixels may show the same character; with an overlap of a third, cells are 19 pixels apart."""


class LineResNetLookalikes(LineResNetModel):
    """ResNet, LSTM, attention, LSTM, linear: images (B, 1, H, W) float in [0, 1] to logits (B, C, S)."""

    def __init__(self, num_classes: int, settings: LineResNetLookalikesSettings, height: int = CELL) -> None:
        super().__init__(settings, height)
        features, states = settings.fc_dim, 2 * settings.lstm_dim
        self.first = BidirectionalLSTM(features, settings.lstm_dim)
        self.lookalikes = LookalikeAttention(
            features, states, settings.heads, excluded=CHARACTER // settings.window_stride
        )
        self.second = BidirectionalLSTM(states, settings.lstm_dim)
        self.add_output_layers(num_classes, states, settings)

    def head(self, features: Tensor, lengths: Lengths | None) -> Tensor:
        """See `LineResNetModel`. Both directions of the LSTMs end at a line's own length."""
        x = self.first(self.dropout(features), lengths)
        x = x + self.lookalikes(features, x, key_padding_mask(lengths, features))
        x = self.second(self.dropout(x), lengths)
        logits: Tensor = self.fc(self.dropout(x))
        return logits.transpose(1, 2)
