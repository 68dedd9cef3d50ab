"""Where characters and text come from: the sections `emnist` and `corpus` of `params.yaml`."""

from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, model_validator

from pipeline.settings.base import Seed, Settings

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class NistSettings(Settings):
    """The official archive, pinned: its address has changed several times, its content never."""

    urls: Annotated[list[str], Field(min_length=1)]
    """Addresses of NIST's `gzip.zip`, tried in this order."""
    sha256: Sha256
    """SHA-256 of the archive, 64 lower-case hexadecimal digits."""
    md5: Md5
    """MD5 of the archive, as NIST's mirrors publish it, 32 lower-case hexadecimal digits."""


class GlyphSettings(Settings):
    """How many built-in characters are drawn when `emnist.source` is `glyphs`."""

    train_per_class: Annotated[int, Field(ge=2, le=100_000)]
    """Images of each of the 62 classes for training and validation."""
    test_per_class: Annotated[int, Field(ge=1, le=100_000)]
    """Images of each of the 62 classes for test, drawn from a random stream of their own."""


class EmnistSettings(Settings):
    """The characters that lines are made of, and how they are split."""

    source: Literal["nist", "archive", "glyphs"]
    """`nist`: download the official archive; `archive`: one of your own in its layout; `glyphs`: built in."""
    archive: str | None
    """Path (from the project's root) or http(s) address of an archive in NIST's layout; null otherwise."""
    sha256: Sha256 | None
    """SHA-256 that `archive` must have, or null to accept any."""
    nist: NistSettings
    """The official archive's addresses and hashes."""
    glyphs: GlyphSettings
    """Numbers of built-in characters."""
    balance: Literal["mean", "none"]
    """`mean`: no class keeps more images than the mean count per class, as in the lab; `none`: keep all."""
    validation_fraction: Annotated[float, Field(gt=0, lt=1)]
    """Share of each class's training images that only validation lines may use."""
    seed: Seed
    """Seed of balancing, of the split, and of drawing glyphs."""

    @model_validator(mode="after")
    def _archive_where_needed(self) -> Self:
        return _require_archive(self)


class BrownSettings(Settings):
    """The Brown corpus as NLTK packages it, pinned."""

    sha256: Sha256
    """SHA-256 of NLTK's `brown.zip`."""


class CorpusSettings(Settings):
    """The text that lines say, and how it is split."""

    source: Literal["brown", "archive", "builtin"]
    """`brown`: fetched by NLTK; `archive`: NLTK's `brown.zip` from elsewhere; `builtin`: Python's own help pages."""
    archive: str | None
    """Path (from the project's root) or http(s) address of NLTK's `brown.zip`; null otherwise."""
    brown: BrownSettings
    """The hash that NLTK's download and `archive` must have."""
    validation_fraction: Annotated[float, Field(gt=0, lt=0.5)]
    """Share of the documents that only validation lines quote."""
    test_fraction: Annotated[float, Field(gt=0, lt=0.5)]
    """Share of the documents that only test lines quote."""
    seed: Seed
    """Seed of the split by document."""

    @model_validator(mode="after")
    def _archive_where_needed(self) -> Self:
        return _require_archive(self)


AnySource = TypeVar("AnySource", bound=EmnistSettings | CorpusSettings)


def _require_archive(settings: AnySource) -> AnySource:
    if settings.source == "archive" and not settings.archive:
        raise ValueError("archive must be a path or an http(s) address where source is archive")
    return settings
