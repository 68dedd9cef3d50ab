"""Built-in characters drawn by code: a stand-in for EMNIST in demonstrations and tests."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.common.geometry import CELL
from pipeline.common.vocabulary import EMNIST_CHARACTERS
from pipeline.data.sources.base import LoadedCharacters, spawn_generators
from pipeline.data.sources.rasterize import Pens, rasterize
from pipeline.data.sources.strokes import Strokes, load_strokes
from pipeline.data.storage.characters import Characters
from pipeline.settings.sources import EmnistSettings

MAX_REACH = 12.5
"""Pixels from the centre that ink may reach: EMNIST's images have an empty border too."""
WAVES = 3
"""An elastic warp is a sum of this many sinusoids."""


def load_glyphs(settings: EmnistSettings, store: Path) -> LoadedCharacters:
    """Draw as many images as `emnist.glyphs` asks for; training and test images have generators of their own."""
    _, train_rng, test_rng = spawn_generators(settings.seed)
    train = draw_glyphs(settings.glyphs.train_per_class, train_rng)
    test = draw_glyphs(settings.glyphs.test_per_class, test_rng)
    return LoadedCharacters({"train": train, "test": test}, "built-in glyphs, not EMNIST")


def draw_glyphs(per_class: int, rng: np.random.Generator) -> Characters:
    """Draw `per_class` images of each of the 62 classes, sorted by label."""
    classes = len(EMNIST_CHARACTERS)
    images = np.empty((classes, per_class, CELL, CELL), dtype=np.uint8)
    for members, ways in zip(images, load_strokes(), strict=True):
        way = rng.integers(len(ways), size=per_class)
        for number, strokes in enumerate(ways):
            chosen = np.flatnonzero(way == number)
            members[chosen] = _draw(strokes, len(chosen), rng)
    labels = np.repeat(np.arange(classes, dtype=np.uint8), per_class)
    return Characters(images.reshape(-1, CELL, CELL), labels)


def _draw(strokes: Strokes, count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    points = _tilt(_warp(strokes, count, rng), rng)
    pens = _choose_pens(strokes, count, rng)
    reach = _uniform(rng, 0.88, 1.0, count, 1) * MAX_REACH
    points = _fit(points, reach - pens.radius - pens.blur)
    return rasterize(points, strokes.segment_starts, pens)


def _choose_pens(strokes: Strokes, count: int, rng: np.random.Generator) -> Pens:
    """Choose finer pens for characters with longer strokes, which would otherwise become blots."""
    size = np.ptp(strokes.points, axis=0).max()
    length = np.linalg.norm(np.diff(strokes.points, axis=0)[strokes.segment_starts], axis=1).sum()
    typical = np.float32(1.5 * min(1.0, np.sqrt(3 * size / length)))
    pressure = np.clip(np.exp(_normal(rng, 0.25, count, 1)), 0.6, 1.6)
    return Pens(radius=typical * pressure, blur=_uniform(rng, 0.8, 1.3, count, 1))


def _warp(strokes: Strokes, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return points (count, K, 2) of unsteadily written copies of a character, about the origin and of size 2."""
    low, high = strokes.points.min(axis=0), strokes.points.max(axis=0)
    points = (strokes.points - (low + high) / 2) / ((high - low).max() / 2)
    frequency = _normal(rng, 1.4, count, WAVES, 2)
    phase = _uniform(rng, 0, 2 * np.pi, count, 1, WAVES)
    waves = np.sin(points @ frequency.transpose(0, 2, 1) + phase)
    elastic: NDArray[np.float32] = waves @ _normal(rng, 0.1, count, WAVES, 2)
    # A lifted pen is not put down exactly where it should be.
    lifted = _normal(rng, 0.05, count, strokes.stroke[-1] + 1, 2)[:, strokes.stroke]
    warped: NDArray[np.float32] = points + elastic + lifted
    return warped


def _tilt(points: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Change the aspect ratio, slant and rotation of each character."""
    count = len(points)
    stretch = np.exp(_normal(rng, 0.12, count))
    slant = _normal(rng, 0.2, count) + 0.15
    angle = _normal(rng, 0.08, count)
    x, y = points[..., 0].T * stretch, points[..., 1].T
    x = x - slant * y  # y points down, so a positive slant leans to the right
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([(cos * x - sin * y).T, (sin * x + cos * y).T], axis=2)


def _fit(points: NDArray[np.float32], half_size: NDArray[np.float32]) -> NDArray[np.float32]:
    """Centre each bounding box on the origin and scale its longer side to twice `half_size` (N, 1)."""
    low, high = points.min(axis=1, keepdims=True), points.max(axis=1, keepdims=True)
    half = (high - low).max(axis=2, keepdims=True) / 2
    fitted: NDArray[np.float32] = (points - (low + high) / 2) * (half_size[..., None] / half)
    return fitted


def _normal(rng: np.random.Generator, scale: float, *shape: int) -> NDArray[np.float32]:
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(scale)


def _uniform(rng: np.random.Generator, low: float, high: float, *shape: int) -> NDArray[np.float32]:
    return np.float32(low) + np.float32(high - low) * rng.random(shape, dtype=np.float32)
