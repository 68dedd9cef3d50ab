"""Writer-like variety of lines: slant, size, pen, wobble, and the paper's noise."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pipeline.common.geometry import CELL
from pipeline.settings.augmentation import AugmentationSettings, SpreadSettings

KINDS = ("slant", "rotation", "size", "baseline", "spacing", "stroke", "aspect")
STROKE, ASPECT = KINDS.index("stroke"), KINDS.index("aspect")
PULLS = 4
"""Points along either side of a cell that an elastic warp pulls at."""
ERASED = (3, 9)
"""Least and most pixels along a side of what is erased."""


class Augmentation:
    """Changes characters and lines at random; the same generator state gives the same bytes."""

    def __init__(self, settings: AugmentationSettings) -> None:
        self.settings = settings
        self.of_line, self.of_character = _spread(settings.line), _spread(settings.character)

    def augment(
        self, glyphs: NDArray[np.uint8], lines: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Characters (N, 28, 28), each changed by what is drawn for its line, by number (N,), and for itself."""
        changes = self._draw(slice(0, ASPECT), lines, rng)
        pulls = rng.standard_normal((len(glyphs), 2, PULLS, PULLS), np.float32) * np.float32(self.settings.warp)
        # Last, and only where it is asked for: all others are drawn as they were before there was such a thing.
        aspect = self._draw(slice(ASPECT, None), lines, rng) if self._has(ASPECT) else np.zeros((len(glyphs), 1))
        changes = np.concatenate((changes, aspect), axis=1, dtype=np.float32)
        drawn = dict(zip(KINDS, torch.from_numpy(changes).unbind(1), strict=True))
        ink = torch.from_numpy(glyphs).unsqueeze(1).float()
        if any(self._has(kind) for kind in range(len(KINDS)) if kind != STROKE) or self.settings.warp:
            ink = warp(ink, drawn, torch.from_numpy(pulls), self.settings.interpolation)
        if self._has(STROKE):
            ink = change_stroke(ink, drawn["stroke"])
        varied: NDArray[np.uint8] = ink.round_().clamp_(0, 255).squeeze(1).byte().numpy()
        return erase(varied, self.settings.erased, rng) if self.settings.erased else varied

    def spoil(self, lines: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Whole lines (B, 28, W) with less ink, and noise."""
        settings, spoiled = self.settings, lines
        if settings.brightness:
            ink = 1 - rng.uniform(0, settings.brightness, (len(lines), 1, 1)).astype(np.float32)
            spoiled = np.rint(spoiled * ink).astype(np.uint8)
        if settings.noise:
            noise = rng.standard_normal(lines.shape, np.float32) * np.float32(settings.noise)
            spoiled = np.rint(np.clip(spoiled + noise, 0, 255)).astype(np.uint8)
        return spoiled

    def _has(self, kind: int) -> bool:
        return bool(self.of_line[kind] or self.of_character[kind])

    def _draw(self, kinds: slice, lines: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
        of_line, of_character = self.of_line[kinds], self.of_character[kinds]
        changes = rng.standard_normal((lines.max(initial=-1) + 1, len(of_line)), np.float32)[lines] * of_line
        changes += rng.standard_normal((len(lines), len(of_line)), np.float32) * of_character
        return changes


def warp(ink: Tensor, drawn: dict[str, Tensor], pulls: Tensor, interpolation: str = "bilinear") -> Tensor:
    """Characters (N, 1, 28, 28) float, moved by a number (N,) of every kind, and by `pulls` (N, 2, 4, 4) in pixels."""
    middle = (CELL - 1) / 2
    across, down = torch.meshgrid(*[torch.arange(CELL) - middle] * 2, indexing="xy")
    # Where a pixel's ink comes from: every change backwards.
    slant, rotation, size, baseline, spacing, _, aspect = (drawn[kind][:, None, None] for kind in KINDS)
    x, y = across - spacing, down + baseline
    x = x + slant * y
    cosine, sine = torch.cos(rotation * (math.pi / 180)), torch.sin(rotation * (math.pi / 180))
    x, y = x * cosine - y * sine, x * sine + y * cosine
    x, y = x / torch.exp(aspect / 2), y * torch.exp(aspect / 2)
    places = torch.stack((x, y), dim=1) / torch.exp(size)[:, None]
    if pulls.any():
        places = places + functional.interpolate(pulls, (CELL, CELL), mode="bicubic", align_corners=True)
    return functional.grid_sample(ink, places.permute(0, 2, 3, 1) / middle, mode=interpolation, align_corners=True)


def change_stroke(ink: Tensor, strength: Tensor) -> Tensor:
    """Characters (N, 1, 28, 28) float with strokes wider by `strength` (N,) pixels, or narrower; at most by 1."""
    amount = strength.clamp(-1, 1)[:, None, None, None]
    wide, narrow = functional.max_pool2d(ink, 3, 1, 1), -functional.max_pool2d(-ink, 3, 1, 1)
    return ink + amount.clamp(min=0) * (wide - ink) + amount.clamp(max=0) * (ink - narrow)


def erase(glyphs: NDArray[np.uint8], share: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Characters (N, 28, 28), a `share` of them without what is in a rectangle anywhere in their cell.

    What is left must be read by the rest of it and by what stands beside (Zhong et al., "Random Erasing Data
    Augmentation", AAAI 2020).
    """
    chosen = np.flatnonzero(rng.random(len(glyphs)) < share)
    sides = rng.integers(ERASED[0], ERASED[1], (len(chosen), 2), endpoint=True)
    begins = rng.integers(0, CELL - sides, endpoint=True)
    places = np.arange(CELL)
    within = (places >= begins[..., None]) & (places < (begins + sides)[..., None])
    left = glyphs.copy()
    left[chosen] *= ~(within[:, 0, :, None] & within[:, 1, None, :])
    return left


def _spread(settings: SpreadSettings) -> NDArray[np.float32]:
    return np.array([getattr(settings, kind) for kind in KINDS], np.float32)
