"""The conformer: attention over all steps, and convolution over those near, in one block.

Source: Gulati et al., "Conformer: Convolution-augmented Transformer for Speech Recognition", Interspeech 2020. Here the
convolution is normalized by layer norm, which sees one step alone, where the paper has batch norm: a line is read alike
whatever it shares a batch with. Positions are sinusoidal and added once, where the paper has relative ones.
"""

from torch import Tensor, nn

HALF = 0.5
"""What each of a block's two feed-forward parts counts for."""


class FeedForward(nn.Sequential):
    """Two linear layers, the inner one four times as wide: (B, S, F) to the same."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(4 * width, width),
            nn.Dropout(dropout),
        )


class Convolution(nn.Module):
    """A gate, and a depthwise convolution over `kernel` steps: (B, S, F) to the same."""

    def __init__(self, width: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 2 * width)
        self.gate = nn.GLU()
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.inner_norm = nn.LayerNorm(width)
        self.activation = nn.SiLU()
        self.narrow = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor, beyond: Tensor | None) -> Tensor:
        """Steps that are `beyond` (B, S) their line count as zeros, as those past the last one do."""
        gated = self.gate(self.widen(self.norm(features)))
        if beyond is not None:
            gated = gated.masked_fill(beyond[..., None], 0)
        near = self.depthwise(gated.transpose(1, 2)).transpose(1, 2)
        convolved: Tensor = self.dropout(self.narrow(self.activation(self.inner_norm(near))))
        return convolved


class ConformerBlock(nn.Module):
    """Half a feed-forward part, attention, convolution, the other half, each beside a shortcut; then layer norm."""

    def __init__(self, width: int, heads: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.first = FeedForward(width, dropout)
        self.attention_norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.convolution = Convolution(width, kernel, dropout)
        self.last = FeedForward(width, dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, features: Tensor, beyond: Tensor | None) -> Tensor:
        """Features (B, S, F) to the same; no step takes note of one that is `beyond` (B, S) its line."""
        features = features + HALF * self.first(features)
        normal = self.attention_norm(features)
        attended, _ = self.attention(normal, normal, normal, key_padding_mask=beyond, need_weights=False)
        features = features + self.dropout(attended)
        features = features + self.convolution(features, beyond)
        features = features + HALF * self.last(features)
        whole: Tensor = self.norm(features)
        return whole
