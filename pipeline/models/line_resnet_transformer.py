"""Residual convolutions whose features a transformer encoder reads on."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pipeline.models.dropout import Dropout
from pipeline.models.line_resnet import LineResNet
from pipeline.models.line_resnet_model import LineResNetModel


class LineResNetTransformer(LineResNetModel):
    """ResNet, transformer encoder, linear: images (B, 1, 28, W) float in [0, 1] to logits (B, C, S).

    Layers are normalized before attention and before the feed-forward part, which is four times as wide; positions are
    sinusoidal (Vaswani et al., "Attention Is All You Need", 2017).
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
        super().__init__()
        self.line_resnet = line_resnet
        self.windows = line_resnet.windows
        width = line_resnet.features
        self.dropout = Dropout(dropout)
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.fc = nn.Linear(width, num_classes)
        self.intermediate = nn.Linear(width, num_classes) if intermediate else None

    def read_on(self, features: Tensor, lengths: Sequence[int] | None) -> Tensor:
        """See `LineResNetModel`. No step attends to one past its line's own length."""
        steps = features.shape[1]
        placed = self.dropout(features + sinusoids(steps, features.shape[2]).to(features))
        beyond = None
        if lengths is not None and min(lengths) < steps:
            beyond = torch.arange(steps) >= torch.tensor(lengths)[:, None]
            beyond = beyond.to(features.device)
        logits: Tensor = self.fc(self.encoder(placed, src_key_padding_mask=beyond))
        return logits.transpose(1, 2)


def sinusoids(steps: int, features: int) -> Tensor:
    """(S, `features`) float32: sines in the even columns and cosines in the odd, of wavelengths 2 pi to 20,000 pi."""
    rates = torch.exp(torch.arange(0, features, 2) * (-math.log(10_000) / features))
    angles = torch.arange(steps)[:, None] * rates
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)[:, :features]
