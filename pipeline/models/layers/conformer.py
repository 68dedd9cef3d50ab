"""Conformer blocks: attention over all steps and convolution over neighbouring steps.

Source: Gulati et al., "Conformer: Convolution-augmented Transformer for Speech Recognition", Interspeech 2020. Two
things differ from the paper. Its batch norm is a layer norm here, so that a line's logits do not depend on its batch.
Its relative positional encoding is an absolute, sinusoidal one here, added once before the blocks.
"""

from torch import Tensor, nn

HALF = 0.5
"""The weight of each of the two feed-forward parts."""


class FeedForward(nn.Sequential):
    """Two linear layers, (B, S, F) to (B, S, F), with four times the width between them."""

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
    """A gated linear unit and a depthwise convolution over `kernel` steps: (B, S, F) to (B, S, F)."""

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

    def forward(self, x: Tensor, key_padding_mask: Tensor | None) -> Tensor:
        """Steps where `key_padding_mask` (B, S) is True count as zeros, like the padding after the last step."""
        x = self.gate(self.widen(self.norm(x)))
        if key_padding_mask is not None:
            x = x.masked_fill(key_padding_mask[..., None], 0)
        x = self.depthwise(x.transpose(1, 2)).transpose(1, 2)
        x = self.narrow(self.activation(self.inner_norm(x)))
        output: Tensor = self.dropout(x)
        return output


class ConformerBlock(nn.Module):
    """Half a feed-forward part, attention, convolution, half a feed-forward part, each residual; then a layer norm."""

    def __init__(self, width: int, heads: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.first = FeedForward(width, dropout)
        self.attention_norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.convolution = Convolution(width, kernel, dropout)
        self.last = FeedForward(width, dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, key_padding_mask: Tensor | None) -> Tensor:
        """(B, S, F) to (B, S, F). No step depends on steps where `key_padding_mask` (B, S) is True."""
        x = x + HALF * self.first(x)
        normed = self.attention_norm(x)
        attended, _ = self.attention(normed, normed, normed, key_padding_mask=key_padding_mask, need_weights=False)
        x = x + self.dropout(attended)
        x = x + self.convolution(x, key_padding_mask)
        x = x + HALF * self.last(x)
        output: Tensor = self.norm(x)
        return output
