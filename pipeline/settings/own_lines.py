"""Transcribed lines of your own: the section `own_lines` of `params.yaml`."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.settings.base import Seed, Settings

Fraction = Annotated[float, Field(gt=0, lt=1)]


class ListedParts(Settings):
    """Parts by files that name their pages, a name per line, without its extension. Paths begin at `path`."""

    by: Literal["lists"]
    train: str
    """File with the names of the training pages."""
    validation: str
    """File with the names of the validation pages."""
    test: str
    """File with the names of the test pages."""


class FolderParts(Settings):
    """Parts by folders inside `path`."""

    by: Literal["folders"]
    train: str
    """Folder of the training lines."""
    validation: str
    """Folder of the validation lines."""
    test: str
    """Folder of the test lines."""


class ColumnParts(Settings):
    """Parts by a column of a table that holds `train`, `validation` or `test`."""

    by: Literal["column"]
    column: str
    """Name of the column."""


class SplitParts(Settings):
    """Parts drawn at random: whole groups, never single lines of one."""

    by: Literal["split"]
    validation: Fraction
    """Fraction of the groups for validation."""
    test: Fraction
    """Fraction of the groups for test."""
    seed: Seed
    """Seed of the draw."""


class OwnLinesSettings(Settings):
    """A data set of transcribed lines."""

    format: Literal["pages", "folder", "table"]
    """`pages`: page images with ALTO or PAGE XML; `folder`: `name.png` with `name.gt.txt`; `table`: CSV or Parquet."""
    path: str
    """Folder or table, from the project's root."""
    height: Annotated[int, Field(ge=16, le=256)] = 48
    """Height of the lines' images in pixels."""
    group: str | None = None
    """What belongs to one writer or document: a regular expression with one group, matched with the line's name, or the
    name of a column; null takes the page, the folder of a line, or each row."""
    image_column: str = "image"
    """Column of a table with paths or pictures."""
    text_column: str = "text"
    """Column of a table with the transcription."""
    train_lines: Annotated[int, Field(ge=1)] | None = None
    """At most this many training lines, drawn at random, to see what more lines are worth; null takes all."""
    characters: str = ""
    """Characters that the vocabulary has beside those of the training lines. A recognizer that others trained may know
    them; a model from nothing cannot learn them."""
    parts: Annotated[ListedParts | FolderParts | ColumnParts | SplitParts, Field(discriminator="by")]
    """Which lines are for training, validation and test."""
