"""How windows slide over a line: what decides the number of steps, known without building a model.

Shape letters used everywhere in this project:
    B  lines in a batch            C  classes (83)
    H  image height, 28 pixels     W  image width in pixels
    S  steps: positions along the line at which a model answers
    T  target positions: `max_length` of the line data
"""

from dataclasses import dataclass

CELL = 28
"""Side of a character's cell in pixels, and the height of a line."""


@dataclass(frozen=True)
class Windows:
    """Windows of `width` pixels every `stride` pixels, as one model sees them.

    `reach` is how many pixels beside its window a step still depends on (its receptive field sticks
    out by that much on either side); `grid` is the raster in pixels that the model rounds an image's
    width up to.
    """

    width: int
    stride: int
    reach: int = 0
    grid: int = 1

    def steps(self, image_width: int) -> int:
        """S for an image of `image_width` pixels, as the lecture counts it; 0 where no window fits."""
        return max(0, (round_up(image_width, self.grid) - self.width) // self.stride + 1)

    def steps_of_line(self, line_width: int) -> int:
        """Steps whose window begins on the line: S of a line under CTC, however wide its batch is.

        Paper after the line takes no part: a model that sees one window at a time cannot tell it from a
        space, and learns to end every line with the commonest character.
        """
        return -(-line_width // self.stride)

    def width_for(self, steps: int) -> int:
        """Pixels that an image must have for `steps` steps none of which depends on the right edge."""
        return (steps - 1) * self.stride + self.width + self.reach

    def first_blank_step(self, line_width: int) -> int:
        """The first step that sees nothing but blank paper right of a line of `line_width` pixels.

        It and every later step answer alike.
        """
        return -(-(line_width + self.reach_left) // self.stride)

    @property
    def reach_left(self) -> int:
        """Pixels that a step depends on left of its window; the last of the raster comes on top."""
        return self.reach + self.grid - 1 if self.reach else 0


def round_up(pixels: int, raster: int) -> int:
    """The least multiple of `raster` of at least `pixels`."""
    return -(-pixels // raster) * raster


def advance(overlap: float) -> int:
    """Pixels from one character's cell to the next at an overlap in [0, 1)."""
    return CELL - int(CELL * overlap)


def densest_width(characters: int, max_overlap: float) -> int:
    """Width in pixels of a line of that many characters where all overlap the most."""
    return CELL + (characters - 1) * advance(max_overlap)
