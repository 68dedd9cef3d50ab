"""Attention between the steps of a line that look alike.

A writer writes a character alike each time. Whether a `C` at the beginning of a word is one cannot be told by its shape
alone, but where another of the same shape stands inside a word, that one's surroundings tell. So a step asks those that
look like it what is known of them.

Queries and keys are one and the same (Kitaev et al., "Reformer: The Efficient Transformer", ICLR 2020), compared by
cosine: steps of the same shape attend to each other from the first step of training on.
"""

import math

import torch
from torch import Tensor, nn

SHARPNESS = 12.0
"""What cosines are multiplied by, at first."""
ALIKE = 0.5
"""The cosine that weighs as much as finding nothing that looks alike, at first."""
SHARE = 0.3
"""What is found is scaled by this, at first: in full it can keep training from getting under way."""
FLOOR = 0.1
"""Added to the squared length of keys, whose direction means nothing where they are short, and changes wildly."""


class Lookalikes(nn.Module):
    """What is known of the steps that look alike: looks (B, S, F) and states (B, S, D) to (B, S, D).

    Each of `heads` compares the looks by `size` numbers, and takes a mean of its share of the states, D / `heads` of
    them, projected. A step takes no note of those up to `near` steps away, which show the same character.
    """

    def __init__(self, looks: int, states: int, heads: int, near: int, size: int = 32) -> None:
        super().__init__()
        self.near = near
        self.norm = nn.LayerNorm(looks)
        self.key = nn.Linear(looks, heads * size, bias=False)
        self.value = nn.Linear(states, states)
        self.out = nn.Linear(states, states)
        self.log_sharpness = nn.Parameter(torch.full((heads,), math.log(SHARPNESS)))
        self.alike = nn.Parameter(torch.full((heads,), ALIKE))
        self.share = nn.Parameter(torch.full((states,), SHARE))

    def forward(self, looks: Tensor, states: Tensor, beyond: Tensor | None) -> Tensor:
        """No step takes note of one that is `beyond` (B, S) its line."""
        weights = self.weights(looks, beyond)
        values = self.value(states).unflatten(2, (len(self.alike), -1)).transpose(1, 2)
        found: Tensor = self.share * self.out((weights @ values).transpose(1, 2).flatten(2))
        return found

    def weights(self, looks: Tensor, beyond: Tensor | None) -> Tensor:
        """(B, heads, S, S): what each step takes from each, at most 1 in all; the rest is for finding nothing."""
        keys = self.key(self.norm(looks)).unflatten(2, (len(self.alike), -1)).transpose(1, 2)
        keys = keys * (keys.square().sum(-1, keepdim=True) + FLOOR).rsqrt()
        cosines = keys @ keys.mT
        scores = (cosines - self.alike[:, None, None]) * self.log_sharpness.exp()[:, None, None]
        places = torch.arange(looks.shape[1], device=looks.device)
        unseen = (places[:, None] - places).abs() <= self.near
        if beyond is not None:
            unseen = unseen | beyond[:, None, None, :]
        nothing = nn.functional.pad(scores.masked_fill(unseen, -torch.inf), (0, 1))
        return nothing.softmax(-1)[..., :-1]
