"""Augmentation: random changes to characters and lines, similar to the differences between writers.

`pipeline/settings/augmentation.py` describes each change and its unit.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pipeline.common.geometry import CELL
from pipeline.settings.augmentation import AugmentationSettings, SpreadSettings

CHANGES = ("slant", "rotation", "size", "baseline", "spacing", "stroke", "aspect")
STROKE, ASPECT = CHANGES.index("stroke"), CHANGES.index("aspect")
CONTROL_POINTS = 4
"""Points along either side of a cell that an elastic warp moves."""
ERASED_SIDES = (3, 9)
"""Smallest and largest side of an erased rectangle in pixels."""


class Augmentation:
    """Changes characters and lines at random; the same generator state gives the same bytes."""

    def __init__(self, settings: AugmentationSettings) -> None:
        self.settings = settings
        self.line_std, self.character_std = (
            _standard_deviations(settings.line),
            _standard_deviations(settings.character),
        )

    def augment_characters(
        self, images: NDArray[np.uint8], lines: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Change characters (N, 28, 28). Those of the same line, by number (N,), share the line's random changes."""
        amounts = self._draw(slice(0, ASPECT), lines, rng)
        size = (len(images), 2, CONTROL_POINTS, CONTROL_POINTS)
        offsets = rng.standard_normal(size, np.float32) * np.float32(self.settings.warp)
        # Drawn last and only if set, so that the other random numbers are the same without it.
        aspect = self._draw(slice(ASPECT, None), lines, rng) if self._has(ASPECT) else np.zeros((len(images), 1))
        amounts = np.concatenate((amounts, aspect), axis=1, dtype=np.float32)
        by_change = dict(zip(CHANGES, torch.from_numpy(amounts).unbind(1), strict=True))
        ink = torch.from_numpy(images).unsqueeze(1).float()
        if any(self._has(change) for change in range(len(CHANGES)) if change != STROKE) or self.settings.warp:
            ink = warp(ink, by_change, torch.from_numpy(offsets), self.settings.interpolation)
        if self._has(STROKE):
            ink = change_stroke(ink, by_change["stroke"])
        augmented: NDArray[np.uint8] = ink.round_().clamp_(0, 255).squeeze(1).byte().numpy()
        return erase(augmented, self.settings.erased, rng) if self.settings.erased else augmented

    def augment_lines(self, lines: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Lower the ink of whole lines (B, 28, W), and add noise."""
        if self.settings.brightness:
            ink = 1 - rng.uniform(0, self.settings.brightness, (len(lines), 1, 1)).astype(np.float32)
            lines = np.rint(lines * ink).astype(np.uint8)
        if self.settings.noise:
            noise = rng.standard_normal(lines.shape, np.float32) * np.float32(self.settings.noise)
            lines = np.rint(np.clip(lines + noise, 0, 255)).astype(np.uint8)
        return lines

    def _has(self, change: int) -> bool:
        return bool(self.line_std[change] or self.character_std[change])

    def _draw(self, changes: slice, lines: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw amounts (N, changes): the sum of a draw for the character's line and one for the character."""
        line_std, character_std = self.line_std[changes], self.character_std[changes]
        amounts = rng.standard_normal((lines.max(initial=-1) + 1, len(line_std)), np.float32)[lines] * line_std
        amounts += rng.standard_normal((len(lines), len(line_std)), np.float32) * character_std
        return amounts


def warp(ink: Tensor, amounts: dict[str, Tensor], offsets: Tensor, interpolation: str = "bilinear") -> Tensor:
    """Move the ink of characters (N, 1, 28, 28) float.

    Args:
        ink: 0 background to 255 ink.
        amounts: (N,) for each of `CHANGES`; the stroke is not changed here.
        offsets: (N, 2, 4, 4) x and y in pixels by which control points move where ink comes from.
        interpolation: `bilinear` or `bicubic`.
    """
    middle = (CELL - 1) / 2
    across, down = torch.meshgrid(*[torch.arange(CELL) - middle] * 2, indexing="xy")
    # `grid_sample` needs the source of each pixel's ink, so every change is applied backwards.
    slant, rotation, size, baseline, spacing, _, aspect = (amounts[change][:, None, None] for change in CHANGES)
    x, y = across - spacing, down + baseline
    x = x + slant * y
    cosine, sine = torch.cos(rotation * (math.pi / 180)), torch.sin(rotation * (math.pi / 180))
    x, y = x * cosine - y * sine, x * sine + y * cosine
    x, y = x / torch.exp(aspect / 2), y * torch.exp(aspect / 2)
    source = torch.stack((x, y), dim=1) / torch.exp(size)[:, None]
    if offsets.any():
        source = source + functional.interpolate(offsets, (CELL, CELL), mode="bicubic", align_corners=True)
    return functional.grid_sample(ink, source.permute(0, 2, 3, 1) / middle, mode=interpolation, align_corners=True)


def change_stroke(ink: Tensor, strength: Tensor) -> Tensor:
    """Make strokes of characters (N, 1, 28, 28) wider by `strength` (N,) pixels a side, or narrower if negative.

    The strength is limited to 1.
    """
    strength = strength.clamp(-1, 1)[:, None, None, None]
    wide, narrow = functional.max_pool2d(ink, 3, 1, 1), -functional.max_pool2d(-ink, 3, 1, 1)
    return ink + strength.clamp(min=0) * (wide - ink) + strength.clamp(max=0) * (ink - narrow)


def erase(images: NDArray[np.uint8], fraction: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Erase a random rectangle in a `fraction` of the characters (N, 28, 28), on average.

    What is left must be read from the rest of the character and from its neighbours (Zhong et al., "Random Erasing Data
    Augmentation", AAAI 2020).
    """
    chosen = np.flatnonzero(rng.random(len(images)) < fraction)
    sides = rng.integers(ERASED_SIDES[0], ERASED_SIDES[1], (len(chosen), 2), endpoint=True)
    starts = rng.integers(0, CELL - sides, endpoint=True)
    pixels = np.arange(CELL)
    inside = (pixels >= starts[..., None]) & (pixels < (starts + sides)[..., None])
    erased = images.copy()
    erased[chosen] *= ~(inside[:, 0, :, None] & inside[:, 1, None, :])
    return erased


def _standard_deviations(settings: SpreadSettings) -> NDArray[np.float32]:
    return np.array([getattr(settings, change) for change in CHANGES], np.float32)
