"""Augmentation of stored lines: random changes like those between writers, papers and scanners.

`LineAugmentationSettings` describes each change and its unit.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pipeline.data.loading.augmentation import change_stroke
from pipeline.settings.augmentation import LineAugmentationSettings

POINTS_PER_HEIGHT = 3
"""Control points of the elastic warp for each height, in both directions."""
NEIGHBOUR_ROWS = 0.2
"""The most rows that another line's strokes take at an edge, in heights."""
RULE_DISTANCES = (0.35, 1.5)
"""Distance between two lines of ruled paper, in heights."""
RULE_INK = (0.1, 0.6)
"""Ink of ruled paper."""
MAX_ERASED_WIDTH = 1 / 3
"""In heights."""
MAX_STRIPS = 4


@dataclass(frozen=True)
class Geometry:
    """Where the ink of each line comes from. All are (B,) float."""

    slant: Tensor
    rotation: Tensor
    """Radians."""
    stretch: Tensor
    """Factor of the width."""
    size: Tensor
    """Factor of the height."""
    shift: Tensor
    """Pixels downwards."""


class LineAugmentation:
    """Changes lines at random; the same generator state gives the same bytes."""

    def __init__(self, settings: LineAugmentationSettings) -> None:
        self.settings = settings

    def augment(
        self,
        images: NDArray[np.uint8],
        widths: NDArray[np.int64],
        neighbours: NDArray[np.uint8] | None,
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Change lines (B, H, W) of `widths` (B,), which may become narrower or wider.

        `neighbours` (B, H, W) are other lines, whose strokes may reach into these; None where the settings have none.
        """
        settings, height = self.settings, images.shape[1]
        ink = torch.from_numpy(images).unsqueeze(1).float() / 255
        if neighbours is not None:
            others = torch.from_numpy(neighbours).unsqueeze(1).float() / 255
            ink = add_neighbours(ink, others, settings.neighbours, rng)
        geometry = self._draw_geometry(len(images), height, rng)
        # Room for what a slant moves to the right and left.
        new_widths = np.rint(widths * geometry.stretch.numpy() + np.abs(geometry.slant.numpy()) * height).astype(int)
        ink = move(ink, torch.from_numpy(widths), torch.from_numpy(new_widths), geometry, self._draw_warp(ink, rng))
        ink = self._change_ink(ink, rng)
        if settings.ruled:
            ink = torch.maximum(ink, rule(len(images), height, ink.shape[-1], settings.ruled, rng))
        if settings.erased:
            erase_strips(ink, new_widths, settings.erased, rng)
        if settings.noise:
            deviation = _uniform(rng, len(images), 0, settings.noise)
            ink = ink + torch.from_numpy(rng.standard_normal(ink.shape, np.float32)) * deviation
        outside = torch.arange(ink.shape[-1]) >= torch.from_numpy(new_widths)[:, None]
        ink = ink.masked_fill(outside[:, None, None], 0)
        return (ink.clamp(0, 1) * 255).round().squeeze(1).byte().numpy(), new_widths

    def _draw_geometry(self, lines: int, height: int, rng: np.random.Generator) -> Geometry:
        settings = self.settings
        normal = torch.from_numpy(rng.standard_normal((5, lines), np.float32).clip(-2.5, 2.5))
        return Geometry(
            normal[0] * settings.slant,
            normal[1] * math.radians(settings.rotation),
            torch.exp(normal[2] * settings.stretch),
            torch.exp(normal[3] * settings.size),
            normal[4] * settings.shift * height,
        )

    def _draw_warp(self, ink: Tensor, rng: np.random.Generator) -> Tensor | None:
        """Offsets (B, 2, rows, columns) in pixels of control points."""
        if not self.settings.warp:
            return None
        height, width = ink.shape[2:]
        shape = len(ink), 2, POINTS_PER_HEIGHT + 1, math.ceil(width / height * POINTS_PER_HEIGHT) + 1
        return torch.from_numpy(rng.standard_normal(shape, np.float32)) * (self.settings.warp * height)

    def _change_ink(self, ink: Tensor, rng: np.random.Generator) -> Tensor:
        settings, lines = self.settings, len(ink)
        if settings.stroke:
            strength = torch.from_numpy(rng.standard_normal(lines, np.float32)) * settings.stroke
            ink = change_stroke(ink, strength)
        if settings.blur:
            ink = torch.lerp(ink, functional.avg_pool2d(ink, 3, 1, 1), _uniform(rng, lines, 0, settings.blur))
        if settings.contrast:
            exponents = np.exp(rng.standard_normal((lines, 1, 1, 1), np.float32) * np.float32(settings.contrast))
            ink = ink.clamp(0, 1) ** torch.from_numpy(exponents)
        if settings.fade:
            ink = ink * (1 - _uniform(rng, lines, 0, settings.fade))
        return ink


def _uniform(rng: np.random.Generator, lines: int, low: float, high: float) -> Tensor:
    """(B, 1, 1, 1) float."""
    return torch.from_numpy(rng.uniform(low, high, (lines, 1, 1, 1)).astype(np.float32))


def move(ink: Tensor, widths: Tensor, new_widths: Tensor, geometry: Geometry, warp: Tensor | None) -> Tensor:
    """Move the ink of lines (B, 1, H, W) float, to (B, 1, H, the largest of `new_widths`).

    Each pixel takes the ink of its source, so every change is applied backwards. What lies outside is background.
    """
    height, width = ink.shape[2:]
    new_width = int(new_widths.max())
    x = torch.arange(new_width)[None, None, :] - (new_widths[:, None, None] - 1) / 2
    y = torch.arange(height)[None, :, None] - (height - 1) / 2
    y = y - geometry.shift[:, None, None]
    cosine, sine = torch.cos(geometry.rotation)[:, None, None], torch.sin(geometry.rotation)[:, None, None]
    x, y = x * cosine + y * sine, y * cosine - x * sine
    x = x + geometry.slant[:, None, None] * y
    x = x / geometry.stretch[:, None, None] + (widths[:, None, None] - 1) / 2
    y = y / geometry.size[:, None, None] + (height - 1) / 2
    if warp is not None:
        offsets = functional.interpolate(warp, (height, new_width), mode="bicubic", align_corners=True)
        x, y = x + offsets[:, 0], y + offsets[:, 1]
    source = torch.stack((x * (2 / max(1, width - 1)) - 1, y * (2 / (height - 1)) - 1), dim=-1)
    return functional.grid_sample(ink, source, mode="bilinear", align_corners=True)


def add_neighbours(ink: Tensor, others: Tensor, fraction: float, rng: np.random.Generator) -> Tensor:
    """Let the lowest rows of `others` (B, 1, H, W) reach into the upper edge of lines, and the upper ones from below.

    Each edge of a line is drawn on its own.
    """
    height = ink.shape[2]
    ink = ink.clone()
    rows = rng.integers(1, max(2, round(height * NEIGHBOUR_ROWS)), (len(ink), 2), endpoint=True)
    chosen = rng.random((len(ink), 2)) < fraction
    for line in np.flatnonzero(chosen[:, 0]):
        above = rows[line, 0]
        ink[line, :, :above] = torch.maximum(ink[line, :, :above], others[line, :, height - above :])
    for line in np.flatnonzero(chosen[:, 1]):
        below = height - rows[line, 1]
        ink[line, :, below:] = torch.maximum(ink[line, :, below:], others[line, :, : height - below])
    return ink


def rule(lines: int, height: int, width: int, fraction: float, rng: np.random.Generator) -> Tensor:
    """The ink (B, 1, H, W) of ruled paper; half of it is squared. The other lines have none."""
    ink = torch.zeros(lines, 1, height, width)
    for line in np.flatnonzero(rng.random(lines) < fraction):
        distance = rng.uniform(*RULE_DISTANCES) * height
        rows = np.arange(rng.uniform(0, min(distance, height)), height, distance).astype(int)
        strength = rng.uniform(*RULE_INK)
        ink[line, :, rows] = strength
        if rng.random() < 1 / 2:
            columns = np.arange(rng.uniform(0, distance), width, distance).astype(int)
            ink[line, :, :, columns] = strength
    return ink


def erase_strips(ink: Tensor, widths: NDArray[np.int64], fraction: float, rng: np.random.Generator) -> None:
    """Erase upright strips of lines (B, 1, H, W), so that their characters must be guessed from the text around."""
    widest = ink.shape[2] * MAX_ERASED_WIDTH
    for line in np.flatnonzero(rng.random(len(ink)) < fraction):
        for _ in range(rng.integers(1, MAX_STRIPS, endpoint=True)):
            start = int(rng.integers(0, max(1, widths[line])))
            ink[line, :, :, start : start + round(rng.uniform(1, max(2, widest)))] = 0
