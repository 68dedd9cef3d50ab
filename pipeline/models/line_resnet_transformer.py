"""A residual network, then a transformer encoder."""

from torch import Tensor, nn

from pipeline.common.geometry import CELL
from pipeline.models.layers.attention import add_positional_encoding, key_padding_mask
from pipeline.models.layers.lengths import Lengths
from pipeline.models.line_resnet import LineResNetModel
from pipeline.settings.models import LineResNetTransformerSettings


class LineResNetTransformer(LineResNetModel):
    """ResNet, transformer encoder, linear: images (B, 1, H, W) float in [0, 1] to logits (B, C, S).

    The layers are pre-norm: layer norm comes before attention and before the feed-forward part.
    """

    def __init__(self, num_classes: int, settings: LineResNetTransformerSettings, height: int = CELL) -> None:
        super().__init__(settings, height)
        width = settings.fc_dim
        layer = nn.TransformerEncoderLayer(
            width, settings.heads, 4 * width, settings.dropout, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, settings.layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.add_output_layers(num_classes, width, settings)

    def head(self, features: Tensor, lengths: Lengths | None) -> Tensor:
        """See `LineResNetModel`. No step attends to steps past its line's own length."""
        x = self.dropout(add_positional_encoding(features))
        x = self.encoder(x, src_key_padding_mask=key_padding_mask(lengths, features))
        logits: Tensor = self.fc(x)
        return logits.transpose(1, 2)
