"""How lines are synthesized: one block of the section `lines` of `params.yaml`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.settings.base import Seed, Settings

Overlap = Annotated[float, Field(ge=0, le=0.9)]
LineCount = Annotated[int, Field(ge=1, le=10_000_000)]


class LinesSettings(Settings):
    """One data set of synthetic lines. Each character has a cell of 28 x 28 pixels, and neighbouring cells overlap."""

    max_length: Annotated[int, Field(ge=3, le=255)]
    """Target positions T. Images are 28 T pixels wide, and a text has at most T - 2 characters."""
    min_overlap: Overlap
    """Smallest fraction of a cell that the next cell covers."""
    max_overlap: Overlap
    """Largest fraction of a cell that the next cell covers."""
    overlap_per: Literal["line", "character"]
    """`character`: draw an overlap for each character, as in the lecture; `line`: one for each line, as in its lab."""
    with_start_end_tokens: bool
    """Whether targets begin with `<S>` and end with `<E>`."""
    train: LineCount
    """Number of training lines."""
    validation: LineCount
    """Number of validation lines."""
    test: LineCount
    """Number of test lines."""
    seed: Seed
    """Seed of texts, character images and overlaps."""

    @model_validator(mode="after")
    def _overlaps_are_ordered(self) -> Self:
        if self.min_overlap > self.max_overlap:
            raise ValueError(f"min_overlap {self.min_overlap} must not be larger than max_overlap {self.max_overlap}")
        return self

    @property
    def max_characters(self) -> int:
        """Characters of the longest text; two positions stay free for `<S>` and `<E>`."""
        return self.max_length - 2
