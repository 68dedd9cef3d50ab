"""Positional encoding and padding mask for attention over the steps of a line."""

import math

import torch
from torch import Tensor

from pipeline.models.layers.lengths import Lengths, lengths_on, some_are_shorter


def add_positional_encoding(features: Tensor) -> Tensor:
    """Add sinusoids to features (B, S, F) (Vaswani et al., "Attention Is All You Need", 2017)."""
    return features + sinusoids(features.shape[1], features.shape[2], features.device).to(features)


def sinusoids(steps: int, features: int, device: torch.device | None = None) -> Tensor:
    """(S, F) float32: sines in the even columns, cosines in the odd ones; wavelengths from 2 pi to 20,000 pi."""
    rates = torch.exp(torch.arange(0, features, 2, device=device) * (-math.log(10_000) / features))
    angles = torch.arange(steps, device=device)[:, None] * rates
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)[:, :features]


def key_padding_mask(lengths: Lengths | None, features: Tensor) -> Tensor | None:
    """(B, S) bool: True for steps of features (B, S, F) past their line's own length; None without such steps."""
    steps = features.shape[1]
    if lengths is None or not some_are_shorter(lengths, steps):
        return None
    return torch.arange(steps, device=features.device) >= lengths_on(lengths, features.device)[:, None]
