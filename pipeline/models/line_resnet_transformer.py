"""Residual convolutions whose features a transformer encoder reads on."""

from torch import Tensor, nn

from pipeline.models.layers.attention import key_padding_mask, placed
from pipeline.models.layers.lengths import Lengths
from pipeline.models.line_resnet import LineResNet
from pipeline.models.line_resnet_model import LineResNetModel


class LineResNetTransformer(LineResNetModel):
    """ResNet, transformer encoder, linear: images (B, 1, 28, W) float in [0, 1] to logits (B, C, S).

    Layers are normalized before attention and before the feed-forward part, which is four times as wide.
    """

    def __init__(
        self,
        num_classes: int,
        line_resnet: LineResNet,
        heads: int = 4,
        layers: int = 4,
        dropout: float = 0.0,
        *,
        intermediate: bool = False,
    ) -> None:
        super().__init__(line_resnet, dropout)
        width = line_resnet.features
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.add_logits(num_classes, width, intermediate=intermediate)

    def read_on(self, features: Tensor, lengths: Lengths | None) -> Tensor:
        """See `LineResNetModel`. No step attends to one past its line's own length."""
        beyond = key_padding_mask(lengths, features)
        logits: Tensor = self.fc(self.encoder(self.dropout(placed(features)), src_key_padding_mask=beyond))
        return logits.transpose(1, 2)
