"""Residual convolutions whose features conformer blocks read on."""

from torch import Tensor, nn

from pipeline.models.layers.attention import key_padding_mask, placed
from pipeline.models.layers.conformer import ConformerBlock
from pipeline.models.layers.lengths import Lengths
from pipeline.models.line_resnet import LineResNet
from pipeline.models.line_resnet_model import LineResNetModel


class LineResNetConformer(LineResNetModel):
    """ResNet, conformer blocks, linear: images (B, 1, 28, W) float in [0, 1] to logits (B, C, S)."""

    def __init__(
        self,
        num_classes: int,
        line_resnet: LineResNet,
        heads: int = 4,
        layers: int = 2,
        kernel: int = 15,
        dropout: float = 0.0,
        *,
        intermediate: bool = False,
    ) -> None:
        super().__init__(line_resnet, dropout)
        width = line_resnet.features
        self.blocks = nn.ModuleList(ConformerBlock(width, heads, kernel, dropout) for _ in range(layers))
        self.add_logits(num_classes, width, intermediate=intermediate)

    def read_on(self, features: Tensor, lengths: Lengths | None) -> Tensor:
        """See `LineResNetModel`. No step takes note of one past its line's own length."""
        beyond = key_padding_mask(lengths, features)
        features = self.dropout(placed(features))
        for block in self.blocks:
            features = block(features, beyond)
        logits: Tensor = self.fc(features)
        return logits.transpose(1, 2)
