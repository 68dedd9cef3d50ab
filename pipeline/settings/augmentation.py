"""Augmentation of training lines, stored or streaming: `augmentation` and `endless` of `training` in `params.yaml`."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.settings.base import Settings


class SpreadSettings(Settings):
    """Standard deviations of random changes to a character's image; 0 turns a change off."""

    slant: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Shear: pixels to the right for each pixel upwards."""
    rotation: Annotated[float, Field(ge=0, le=45)] = 0.0
    """Degrees about the middle of the cell."""
    size: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Natural logarithm of the scale: 0.1 is about 10 % larger or smaller."""
    baseline: Annotated[float, Field(ge=0, le=14)] = 0.0
    """Pixels up or down."""
    spacing: Annotated[float, Field(ge=0, le=14)] = 0.0
    """Pixels to the left or right."""
    stroke: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Stroke width: 1 adds or removes one pixel on each side of a stroke; larger changes are limited to 1."""
    aspect: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Natural logarithm of width divided by height; the area stays the same."""


class AugmentationSettings(Settings):
    """Random changes that make lines differ as writers do; none by default."""

    line: SpreadSettings = SpreadSettings()
    """Changes drawn once for a line: its writer's style."""
    character: SpreadSettings = SpreadSettings()
    """Changes drawn for each distinct character of a line, added to the line's."""
    warp: Annotated[float, Field(ge=0, le=5)] = 0.0
    """Elastic warp of each distinct character: standard deviation in pixels of 4 x 4 control points."""
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    """How moved characters are sampled: `bilinear` blurs a little, `bicubic` keeps strokes sharp."""
    erased: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Fraction of the distinct characters that lose a random rectangle of 3 to 9 pixels a side."""
    brightness: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Largest fraction of its ink that a line loses."""
    noise: Annotated[float, Field(ge=0, le=128)] = 0.0
    """Standard deviation of Gaussian noise on each pixel, where full ink is 255."""


class StreamingSettings(Settings):
    """Training lines that are synthesized during the training, so that no line is seen twice."""

    lines_per_epoch: Annotated[int, Field(ge=1)]
    """Lines between two validations."""
    curriculum: Annotated[int, Field(ge=1)] | None = None
    """Number of training lines over which the maximum text length grows from a quarter to all of it, or null."""
    variety: AugmentationSettings = AugmentationSettings()
    """Augmentation of the lines."""


class LineAugmentationSettings(Settings):
    """Random changes to stored lines, drawn anew in each epoch, as writers and scanners make them; none by default.

    A height is the height of the lines' images, so that the same values suit lines of any height.
    """

    slant: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Shear: standard deviation in pixels to the right for each pixel upwards."""
    rotation: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Standard deviation in degrees about the middle of the line."""
    stretch: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Standard deviation of the natural logarithm of the width's factor."""
    size: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Standard deviation of the natural logarithm of the height's factor."""
    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Standard deviation of the way up or down, in heights."""
    warp: Annotated[float, Field(ge=0, le=0.2)] = 0.0
    """Elastic warp: standard deviation in heights of control points that are a third of a height apart."""
    stroke: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Standard deviation of the pixels that are added to each side of a stroke, at most 1, or removed."""
    blur: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Largest weight of the mean of 3 x 3 pixels in each pixel."""
    contrast: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Standard deviation of the natural logarithm of an exponent on the ink between 0 and 1."""
    fade: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Largest fraction of its ink that a line loses."""
    noise: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Largest standard deviation of Gaussian noise on each pixel, where full ink is 1."""
    neighbours: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Fraction of the lines that have strokes of other lines at their upper and lower edge."""
    ruled: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Fraction of the lines on ruled or squared paper."""
    erased: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Fraction of the lines that lose the ink of a few upright strips, each at most a third of a height wide."""
