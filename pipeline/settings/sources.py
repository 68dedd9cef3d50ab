"""Sources of characters and text: the sections `emnist` and `corpus` of `params.yaml`.

A source that needs settings has a block of its own, and its name stands in `source` of its section.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.settings.base import NO_FILE, OptionalPath, Seed, Settings

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class SourceSettings(Settings):
    """What both sections share: a source, which may be the user's own archive."""

    source: str
    archive: OptionalPath
    """Path of your own archive or its unpacked folder if `source` is `archive`, else `data/none`."""
    url: str | None
    """Address (http or https) of your own archive, instead of `archive`; it needs `sha256`."""
    sha256: Sha256 | None
    """SHA-256 that the archive must have, or null to accept any."""

    @model_validator(mode="after")
    def _archive_is_named(self) -> Self:
        if self.source == "archive" and bool(self.archive) == bool(self.url):
            raise ValueError(
                f"source archive needs a path in archive, or an address in url; set one of them, the other to "
                f"{NO_FILE} or null"
            )
        if self.source == "archive" and self.url and not self.sha256:
            raise ValueError("url needs sha256: DVC does not look at addresses, so the hash says when it has changed")
        return self

    @property
    def place(self) -> str:
        """The path or the address of the user's own archive."""
        assert self.archive or self.url, "the validator requires it"
        return self.archive or str(self.url)


class NistSettings(Settings):
    """The official archive. Its address has changed several times, its content never: the hashes pin it."""

    urls: Annotated[list[str], Field(min_length=1)]
    """Addresses of NIST's `gzip.zip`, tried in this order."""
    sha256: Sha256
    """SHA-256 of the archive, 64 lower-case hexadecimal digits."""
    md5: Md5
    """MD5 of the archive, as NIST's mirrors publish it, 32 lower-case hexadecimal digits."""


class GlyphSettings(Settings):
    """How many built-in characters are drawn if `emnist.source` is `glyphs`."""

    train_per_class: Annotated[int, Field(ge=2, le=100_000)]
    """Images of each of the 62 classes for training and validation."""
    test_per_class: Annotated[int, Field(ge=1, le=100_000)]
    """Images of each of the 62 classes for test."""


class EmnistSettings(SourceSettings):
    """The section `emnist`: the characters of all lines, and their split."""

    source: Literal["nist", "archive", "glyphs"]
    """`nist`: download the official archive; `archive`: your own EMNIST ByClass; `glyphs`: built-in characters."""
    nist: NistSettings
    """The official archive's addresses and hashes."""
    glyphs: GlyphSettings
    """Numbers of built-in characters."""
    balance: Literal["mean", "none"]
    """`mean`: limit each class to the mean number of images per class, as the lecture's lab does; `none`: keep all."""
    validation_fraction: Annotated[float, Field(gt=0, lt=1)]
    """Fraction of each class's training images that is kept for validation lines."""
    seed: Seed
    """Seed of balancing, of the split, and of drawing built-in characters."""


class BrownSettings(Settings):
    """The Brown corpus as NLTK packages it, pinned by its hash."""

    sha256: Sha256
    """SHA-256 of NLTK's `brown.zip`."""


class CorpusSettings(SourceSettings):
    """The section `corpus`: the text of all lines, and its split."""

    source: Literal["brown", "archive", "builtin"]
    """`brown`: downloaded by NLTK; `archive`: your own copy or a part of it; `builtin`: Python's help pages."""
    brown: BrownSettings
    """The hash that NLTK's download must have."""
    validation_fraction: Annotated[float, Field(gt=0, lt=0.5)]
    """Fraction of the documents that is kept for validation lines."""
    test_fraction: Annotated[float, Field(gt=0, lt=0.5)]
    """Fraction of the documents that is kept for test lines."""
    seed: Seed
    """Seed of the split by document."""
