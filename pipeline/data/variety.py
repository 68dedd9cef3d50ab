"""Writer-like variety of lines: slant, size, pen, wobble, and the paper's noise."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pipeline.geometry import CELL
from pipeline.settings.variety import SpreadSettings, VarietySettings

KINDS = ("slant", "rotation", "size", "baseline", "spacing", "stroke")
PULLS = 4
"""Points along either side of a cell that an elastic warp pulls at."""


class Variety:
    """Changes characters and lines at random; the same generator state gives the same bytes."""

    def __init__(self, settings: VarietySettings) -> None:
        self.settings = settings
        self.of_line, self.of_character = _spread(settings.line), _spread(settings.character)

    def vary(self, glyphs: NDArray[np.uint8], lines: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Characters (N, 28, 28), each changed by what is drawn for its line, by number (N,), and for itself."""
        changes = rng.standard_normal((lines.max(initial=-1) + 1, len(KINDS)), np.float32)[lines] * self.of_line
        changes += rng.standard_normal((len(glyphs), len(KINDS)), np.float32) * self.of_character
        pulls = rng.standard_normal((len(glyphs), 2, PULLS, PULLS), np.float32) * np.float32(self.settings.warp)
        drawn = dict(zip(KINDS, torch.from_numpy(changes).unbind(1), strict=True))
        ink = torch.from_numpy(glyphs).unsqueeze(1).float()
        if self.of_line[:-1].any() or self.of_character[:-1].any() or self.settings.warp:
            ink = warp(ink, drawn, torch.from_numpy(pulls))
        if self.of_line[-1] or self.of_character[-1]:
            ink = change_stroke(ink, drawn["stroke"])
        varied: NDArray[np.uint8] = ink.round_().clamp_(0, 255).squeeze(1).byte().numpy()
        return varied

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


def warp(ink: Tensor, drawn: dict[str, Tensor], pulls: Tensor) -> Tensor:
    """Characters (N, 1, 28, 28) float, moved by a number (N,) of every kind, and by `pulls` (N, 2, 4, 4) in pixels."""
    middle = (CELL - 1) / 2
    across, down = torch.meshgrid(*[torch.arange(CELL) - middle] * 2, indexing="xy")
    # Where a pixel's ink comes from: every change backwards.
    slant, rotation, size, baseline, spacing = (drawn[kind][:, None, None] for kind in KINDS[:-1])
    x, y = across - spacing, down + baseline
    x = x + slant * y
    cosine, sine = torch.cos(rotation * (math.pi / 180)), torch.sin(rotation * (math.pi / 180))
    x, y = x * cosine - y * sine, x * sine + y * cosine
    places = torch.stack((x, y), dim=1) / torch.exp(size)[:, None]
    if pulls.any():
        places = places + functional.interpolate(pulls, (CELL, CELL), mode="bicubic", align_corners=True)
    return functional.grid_sample(ink, places.permute(0, 2, 3, 1) / middle, align_corners=True)


def change_stroke(ink: Tensor, strength: Tensor) -> Tensor:
    """Characters (N, 1, 28, 28) float with strokes wider by `strength` (N,) pixels, or narrower; at most by 1."""
    amount = strength.clamp(-1, 1)[:, None, None, None]
    wide, narrow = functional.max_pool2d(ink, 3, 1, 1), -functional.max_pool2d(-ink, 3, 1, 1)
    return ink + amount.clamp(min=0) * (wide - ink) + amount.clamp(max=0) * (ink - narrow)


def _spread(settings: SpreadSettings) -> NDArray[np.float32]:
    return np.array([getattr(settings, kind) for kind in KINDS], np.float32)
