"""Content-based self-attention with shared queries and keys: each step attends to the steps with similar features.

A writer writes a character in the same way each time. Whether a single `C` at the start of a word is a capital letter,
its shape alone cannot tell. Where the same shape occurs inside a word, the context there tells it. So each step gets
the hidden states of the steps with similar image features.

Queries and keys use one projection (shared-QK attention: Kitaev et al., "Reformer: The Efficient Transformer", ICLR
2020), and scores are scaled cosines. So equal shapes attend to each other from the first training step on.
"""

import math

import torch
from torch import Tensor, nn

INITIAL_SCALE = 12.0
"""Initial factor of the cosines."""
INITIAL_THRESHOLD = 0.5
"""Initial cosine that gets the same weight as attending to nothing."""
INITIAL_GAIN = 0.3
"""Initial factor of the output; a factor of 1 can keep training from starting."""
EPSILON = 0.1
"""Added to the squared norm of keys: the direction of a short key has no meaning, and its gradient is large."""


class LookalikeAttention(nn.Module):
    """Features (B, S, F) and hidden states (B, S, D) to (B, S, D): features give the weights, states the values.

    Each of the `heads` compares `size` numbers, and averages D / `heads` of the projected states. A step does not
    attend to itself or to its `excluded` neighbours on either side, which show the same character.
    """

    def __init__(self, features: int, states: int, heads: int, excluded: int, size: int = 32) -> None:
        super().__init__()
        self.excluded = excluded
        self.norm = nn.LayerNorm(features)
        self.key = nn.Linear(features, heads * size, bias=False)
        self.value = nn.Linear(states, states)
        self.out = nn.Linear(states, states)
        # Checkpoints know the names of these parameters: the scale, the threshold and the gain.
        self.log_sharpness = nn.Parameter(torch.full((heads,), math.log(INITIAL_SCALE)))
        self.alike = nn.Parameter(torch.full((heads,), INITIAL_THRESHOLD))
        self.share = nn.Parameter(torch.full((states,), INITIAL_GAIN))

    def forward(self, features: Tensor, states: Tensor, key_padding_mask: Tensor | None) -> Tensor:
        """No step attends to steps where `key_padding_mask` (B, S) is True."""
        weights = self.weights(features, key_padding_mask)
        values = self.value(states).unflatten(2, (len(self.alike), -1)).transpose(1, 2)
        output: Tensor = self.share * self.out((weights @ values).transpose(1, 2).flatten(2))
        return output

    def weights(self, features: Tensor, key_padding_mask: Tensor | None) -> Tensor:
        """Attention weights (B, heads, S, S); a row sums to at most 1, and the rest is for attending to nothing."""
        keys = self.key(self.norm(features)).unflatten(2, (len(self.alike), -1)).transpose(1, 2)
        keys = keys * (keys.square().sum(-1, keepdim=True) + EPSILON).rsqrt()
        cosines = keys @ keys.mT
        scores = (cosines - self.alike[:, None, None]) * self.log_sharpness.exp()[:, None, None]
        steps = torch.arange(features.shape[1], device=features.device)
        mask = (steps[:, None] - steps).abs() <= self.excluded
        if key_padding_mask is not None:
            mask = mask | key_padding_mask[:, None, None, :]
        scores_and_nothing = nn.functional.pad(scores.masked_fill(mask, -torch.inf), (0, 1))
        return scores_and_nothing.softmax(-1)[..., :-1]
