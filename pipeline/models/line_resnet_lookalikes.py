"""Residual convolutions whose features LSTM layers read on, with what the same shapes were elsewhere in the line."""

from torch import Tensor

from pipeline.models.layers.attention import key_padding_mask
from pipeline.models.layers.bidirectional_lstm import BidirectionalLSTM
from pipeline.models.layers.lengths import Lengths
from pipeline.models.layers.lookalikes import Lookalikes
from pipeline.models.line_resnet import LineResNet
from pipeline.models.line_resnet_model import LineResNetModel

CHARACTER = 16
"""Pixels within which steps are taken to show the same character; cells begin 19 apart where a third overlaps."""


class LineResNetLookalikes(LineResNetModel):
    """ResNet, LSTM, lookalikes, LSTM, linear: images (B, 1, 28, W) float in [0, 1] to logits (B, C, S)."""

    def __init__(
        self,
        num_classes: int,
        line_resnet: LineResNet,
        lstm_dim: int = 256,
        heads: int = 4,
        dropout: float = 0.0,
        *,
        intermediate: bool = False,
    ) -> None:
        super().__init__(line_resnet, dropout)
        near = CHARACTER // self.windows.stride
        self.first = BidirectionalLSTM(line_resnet.features, lstm_dim)
        self.lookalikes = Lookalikes(line_resnet.features, 2 * lstm_dim, heads, near)
        self.second = BidirectionalLSTM(2 * lstm_dim, lstm_dim)
        self.add_logits(num_classes, 2 * lstm_dim, intermediate=intermediate)

    def read_on(self, features: Tensor, lengths: Lengths | None) -> Tensor:
        """See `LineResNetModel`. Both directions of the LSTMs end with a line's own length."""
        states = self.first(self.dropout(features), lengths)
        states = states + self.lookalikes(features, states, key_padding_mask(lengths, features))
        logits: Tensor = self.fc(self.dropout(self.second(self.dropout(states), lengths)))
        return logits.transpose(1, 2)
