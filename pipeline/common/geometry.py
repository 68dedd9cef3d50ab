"""The geometry of a line and of the windows that slide over it: how many steps an image has, known without a model.

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
    """The windows of a model's steps along the width of an image: `width` pixels every `stride` pixels.

    A step's receptive field is its window and `margin` pixels on either side. `downsampling` is the factor by which
    the network reduces the width; the width of an image is rounded up to a multiple of it.
    """

    width: int
    stride: int
    margin: int = 0
    downsampling: int = 1

    def steps(self, image_width: int) -> int:
        """S for an image of `image_width` pixels, as the lecture counts it; 0 where no window fits."""
        return max(0, (round_up(image_width, self.downsampling) - self.width) // self.stride + 1)

    def line_steps(self, line_width: int) -> int:
        """Count the steps whose window begins on the line: S of a line under CTC, however wide its batch is.

        Steps on the background after the line do not count: a model that sees one window at a time cannot tell
        that background from a space, and learns to end every line with the commonest character.
        """
        return -(-line_width // self.stride)

    def width_for(self, steps: int) -> int:
        """The image width in pixels for `steps` steps, none of whose receptive fields crosses the right edge."""
        return (steps - 1) * self.stride + self.width + self.margin

    def first_blank_step(self, line_width: int) -> int:
        """The first step whose receptive field is all background, right of a line of `line_width` pixels.

        All later steps have the same answer.
        """
        return -(-(line_width + self.left_margin) // self.stride)

    @property
    def left_margin(self) -> int:
        """Pixels left of its window that a step may depend on: strided convolutions look further left than right."""
        return self.margin + self.downsampling - 1 if self.margin else 0


def round_up(pixels: int, multiple: int) -> int:
    """Round up to the next multiple of `multiple`."""
    return -(-pixels // multiple) * multiple


def advance(overlap: float) -> int:
    """Pixels from one character's cell to the next, for an overlap in [0, 1)."""
    return CELL - int(CELL * overlap)


def densest_width(characters: int, max_overlap: float) -> int:
    """Width in pixels of a line of so many characters, all with the largest overlap."""
    return CELL + (characters - 1) * advance(max_overlap)
