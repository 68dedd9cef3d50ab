"""Transcribed lines before they are cut out and written."""

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True)
class Transcription:
    """A line and its text. `draw` opens the picture only when it is called."""

    name: str
    """What messages call the line."""
    page: str
    """The page or file that it comes from, without its extension; lists of parts name it."""
    group: str
    """Its writer or document. A group is never in two parts."""
    text: str
    size: tuple[float, float]
    """Width and height of the line in its picture, in pixels."""
    draw: Callable[[int], Image.Image]
    """The grey image of a height, as wide as `width` says."""
    part: str | None = None
    """Its part, if the source says it."""

    def width(self, height: int) -> int:
        """The image's width in pixels for a height."""
        return scaled_width(self.size, height)


def scaled_width(size: tuple[float, float], height: int) -> int:
    """The width in pixels of something of this width and height that is scaled to `height` pixels."""
    return max(1, round(size[0] * height / size[1]))
