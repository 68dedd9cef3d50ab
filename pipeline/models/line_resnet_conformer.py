"""A residual network, then conformer blocks."""

from torch import Tensor, nn

from pipeline.common.geometry import CELL
from pipeline.models.layers.attention import add_positional_encoding, key_padding_mask
from pipeline.models.layers.conformer import ConformerBlock
from pipeline.models.layers.lengths import Lengths
from pipeline.models.line_resnet import LineResNetModel
from pipeline.settings.models import LineResNetConformerSettings


class LineResNetConformer(LineResNetModel):
    """ResNet, conformer blocks, linear: images (B, 1, H, W) float in [0, 1] to logits (B, C, S)."""

    def __init__(self, num_classes: int, settings: LineResNetConformerSettings, height: int = CELL) -> None:
        super().__init__(settings, height)
        self.blocks = nn.ModuleList(
            ConformerBlock(settings.fc_dim, settings.heads, settings.kernel, settings.dropout)
            for _ in range(settings.layers)
        )
        self.add_output_layers(num_classes, settings.fc_dim, settings)

    def head(self, features: Tensor, lengths: Lengths | None) -> Tensor:
        """See `LineResNetModel`. No step depends on steps past its line's own length."""
        mask = key_padding_mask(lengths, features)
        x = self.dropout(add_positional_encoding(features))
        for block in self.blocks:
            x = block(x, mask)
        logits: Tensor = self.fc(x)
        return logits.transpose(1, 2)
