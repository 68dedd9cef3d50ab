"""The neck of PP-OCRv6's recognizer: attention between the steps of a line, beside a shortcut."""

from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.layers.own_width import OwnWidth


class LightSVTR(nn.Module):
    """Features (B, S, `in_features`) to (B, S, `features`)."""

    def __init__(self, in_features: int, features: int, layers: int, heads: int) -> None:
        super().__init__()
        self.shortcut = LinearNorm(in_features, features)
        self.reduce = LinearNorm(in_features, features)
        self.neighbours = nn.Conv1d(features, features, 7, padding=3, groups=features, bias=False)
        self.norm = nn.BatchNorm1d(features)
        self.layers = nn.ModuleList(AttentionLayer(features, heads) for _ in range(layers))
        self.last_norm = nn.LayerNorm(features)

    def forward(self, features: Tensor, own_width: OwnWidth) -> Tensor:
        """See the class."""
        x = self.reduce(features)
        local = own_width.clear_padding(x.transpose(1, 2).unsqueeze(2)).squeeze(2)
        x = x + functional.silu(self.norm(self.neighbours(local))).transpose(1, 2)
        for layer in self.layers:
            x = layer(x, own_width.padding_mask)
        output: Tensor = self.last_norm(x) + self.shortcut(features)
        return output


class LinearNorm(nn.Module):
    """Linear, batch norm, SiLU: (B, S, F) to (B, S, `out_features`)."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features, bias=False)
        self.norm = nn.BatchNorm1d(out_features)

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        x = self.norm(self.linear(features).transpose(1, 2)).transpose(1, 2)
        return functional.silu(x)


class AttentionLayer(nn.Module):
    """Attention and a hidden layer, each after a layer norm and beside a shortcut: (B, S, F) to (B, S, F)."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(features)
        self.query_key_value = nn.Linear(features, 3 * features)
        self.mix = nn.Linear(features, features)
        self.norm2 = nn.LayerNorm(features)
        self.widen = nn.Linear(features, 2 * features)
        self.narrow = nn.Linear(2 * features, features)

    def forward(self, x: Tensor, padding_mask: Tensor | None) -> Tensor:
        """See the class. Steps where `padding_mask` (B, S) is True are not attended to."""
        x = x + self.mix(self._attend(self.norm1(x), padding_mask))
        output: Tensor = x + self.narrow(functional.silu(self.widen(self.norm2(x))))
        return output

    def _attend(self, x: Tensor, padding_mask: Tensor | None) -> Tensor:
        batch, steps, features = x.shape
        split = self.query_key_value(x).view(batch, steps, 3, self.heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        mask = None if padding_mask is None else ~padding_mask[:, None, None]
        attended = functional.scaled_dot_product_attention(query, key, value, mask)
        return attended.transpose(1, 2).reshape(batch, steps, features)
