"""From the section `emnist` of `params.yaml` to characters, wherever they come from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.common.files import file_sha256
from pipeline.data.sources import glyphs
from pipeline.data.sources.download import fetch_first, obtain
from pipeline.data.sources.emnist import read_archive
from pipeline.data.storage.characters import Characters, balance, split
from pipeline.settings.sources import EmnistSettings

OFFICIAL_TRAIN_COUNT = 697_932
"""Training characters of EMNIST ByClass as NIST publishes it."""
HINT = (
    "download gzip.zip of EMNIST by other means, then set emnist.source to archive and emnist.archive to its path, "
    "or set emnist.source to glyphs to go on without EMNIST"
)


@dataclass(frozen=True)
class CharacterParts:
    """The three parts, and what people should call them; `sha256` is the archive's, or empty."""

    parts: dict[str, Characters]
    data: str
    sha256: str


def load_characters(settings: EmnistSettings, store: Path) -> CharacterParts:
    """Get, check, balance and split the characters; downloads are kept in `store`.

    Raises:
        InputError: the source cannot be reached or is not what it should be.
    """
    order, draw_train, draw_test = (np.random.default_rng(s) for s in np.random.SeedSequence(settings.seed).spawn(3))
    sha256 = ""
    if settings.source == "glyphs":
        train = glyphs.draw_glyphs(settings.glyphs.train_per_class, draw_train)
        test = glyphs.draw_glyphs(settings.glyphs.test_per_class, draw_test)
        data = "built-in glyphs, not EMNIST"
    else:
        archive = get_archive(settings, store)
        sha256 = file_sha256(archive)
        train, test = read_archive(archive)
        kind = "" if len(train) == OFFICIAL_TRAIN_COUNT else " re-split"
        data = f"EMNIST ByClass{kind} ({len(train):,} train characters)"
    if settings.balance == "mean":
        train, test = balance(train, order), balance(test, order)
    train, validation = split(train, settings.validation_fraction, order)
    return CharacterParts({"train": train, "validation": validation, "test": test}, data, sha256)


def get_archive(settings: EmnistSettings, store: Path) -> Path:
    """The archive's path, after its hash was checked."""
    if settings.source == "archive":
        assert settings.archive, "the settings require it"
        return obtain(settings.archive, store, sha256=settings.sha256, hint=HINT)
    nist = settings.nist
    return fetch_first(nist.urls, store, sha256=nist.sha256, md5=nist.md5, hint=HINT)
