"""How lines are synthesized: one block of the section `lines` of `params.yaml`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.settings.base import Seed, Settings

Overlap = Annotated[float, Field(ge=0, le=0.9)]
Lines = Annotated[int, Field(ge=1, le=10_000_000)]


class LinesSettings(Settings):
    """One data set of synthetic lines."""

    max_length: Annotated[int, Field(ge=3, le=255)]
    """Target positions T; the text has at most two characters less, and the image 28 times as many pixels."""
    min_overlap: Overlap
    """Smallest share of a character's cell that the next one covers."""
    max_overlap: Overlap
    """Largest share of a character's cell that the next one covers."""
    overlap_per: Literal["line", "character"]
    """`character`: an overlap is drawn for each character (the lecture); `line`: once a line (the lab's code)."""
    with_start_end_tokens: bool
    """Whether targets stand between `<S>` and `<E>`."""
    train: Lines
    """Number of training lines."""
    validation: Lines
    """Number of validation lines."""
    test: Lines
    """Number of test lines."""
    seed: Seed
    """Seed of text, character images and overlaps."""

    @model_validator(mode="after")
    def _overlaps_in_order(self) -> Self:
        if self.min_overlap > self.max_overlap:
            raise ValueError(f"min_overlap {self.min_overlap} must not be larger than max_overlap {self.max_overlap}")
        return self

    @property
    def max_characters(self) -> int:
        """Characters of the longest text; two positions stay free for `<S>` and `<E>`."""
        return self.max_length - 2
