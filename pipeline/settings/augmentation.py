"""How lines that are synthesized during a training differ from one another, as writers do."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.settings.base import Settings


class SpreadSettings(Settings):
    """Standard deviations of what a character's image is changed by; 0 leaves it."""

    slant: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Shear: pixels to the right for each pixel upwards."""
    rotation: Annotated[float, Field(ge=0, le=45)] = 0.0
    """Degrees about the middle of the cell."""
    size: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Share by which it is larger or smaller."""
    baseline: Annotated[float, Field(ge=0, le=14)] = 0.0
    """Pixels up or down."""
    spacing: Annotated[float, Field(ge=0, le=14)] = 0.0
    """Pixels to the left or right."""
    stroke: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Width of the pen: 1 is one pixel more, or less, on each side of a stroke, and the most there is."""
    aspect: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Share by which it is wider for its height, or narrower; its area stays."""


class AugmentationSettings(Settings):
    """Writer-like variety; nothing unless set."""

    line: SpreadSettings = SpreadSettings()
    """Drawn once for a line: what a writer does."""
    character: SpreadSettings = SpreadSettings()
    """Drawn for each distinct character of a line, on top of the line's."""
    warp: Annotated[float, Field(ge=0, le=5)] = 0.0
    """Elastic warp of each distinct character: standard deviation in pixels of 4 x 4 points that pull at it."""
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    """How ink between pixels is found: `bilinear` blurs a little, `bicubic` keeps strokes as sharp as they are."""
    erased: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the distinct characters that a rectangle of 3 to 9 pixels a side is erased of."""
    brightness: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Largest share of its ink that a line loses."""
    noise: Annotated[float, Field(ge=0, le=128)] = 0.0
    """Standard deviation of noise on every pixel, of 255."""


class StreamingSettings(Settings):
    """Training lines that are synthesized as they are needed, and never come again."""

    lines_per_epoch: Annotated[int, Field(ge=1)]
    """Lines until the next validation."""
    curriculum: Annotated[int, Field(ge=1)] | None = None
    """Lines of the training until which its longest texts grow from a quarter of their length to all of it, or null."""
    variety: AugmentationSettings = AugmentationSettings()
    """How the lines differ beyond those of the data set."""
