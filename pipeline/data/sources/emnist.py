"""EMNIST ByClass as NIST publishes it: a zip archive of gzip-compressed IDX files, read without extracting them."""

from pathlib import Path
from typing import BinaryIO, cast
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from pipeline.common.errors import InputError
from pipeline.common.files import file_sha256
from pipeline.common.vocabulary import EMNIST_CHARACTERS
from pipeline.data.sources.archives import open_archive, open_member
from pipeline.data.sources.base import LoadedCharacters
from pipeline.data.sources.download import fetch_first, obtain
from pipeline.data.sources.idx import read_idx
from pipeline.data.storage.characters import Characters
from pipeline.settings.sources import EmnistSettings

MEMBERS = {
    "train": (
        "gzip/emnist-byclass-train-images-idx3-ubyte.gz",
        "gzip/emnist-byclass-train-labels-idx1-ubyte.gz",
    ),
    "test": (
        "gzip/emnist-byclass-test-images-idx3-ubyte.gz",
        "gzip/emnist-byclass-test-labels-idx1-ubyte.gz",
    ),
}
"""The archive's files of images and labels."""
OFFICIAL_TRAIN_COUNT = 697_932
"""Training characters of EMNIST ByClass as NIST publishes it."""
MAX_MEMBER_BYTES = 1 << 29
"""Three times EMNIST's largest member, compressed as in the archive."""
ADVICE = "emnist needs an undamaged archive in the layout of NIST's gzip.zip"
HINT = (
    "download gzip.zip of EMNIST by other means, then set emnist.source to archive and emnist.archive to its path, "
    "or set emnist.source to glyphs to go on without EMNIST"
)
BLOCK = 4096


def load_nist(settings: EmnistSettings, store: Path) -> LoadedCharacters:
    """Load the official archive; download it if `store` does not have it."""
    nist = settings.nist
    return _load(fetch_first(nist.urls, store, sha256=nist.sha256, md5=nist.md5, hint=HINT))


def load_archive(settings: EmnistSettings, store: Path) -> LoadedCharacters:
    """Load the archive that `emnist.archive` names."""
    assert settings.archive, "the settings require it"
    return _load(obtain(settings.archive, store, sha256=settings.sha256, hint=HINT))


def _load(archive: Path) -> LoadedCharacters:
    train, test = read_archive(archive)
    kind = "" if len(train) == OFFICIAL_TRAIN_COUNT else " re-split"
    name = f"EMNIST ByClass{kind} ({len(train):,} train characters)"
    return LoadedCharacters({"train": train, "test": test}, name, file_sha256(archive))


def read_archive(path: Path) -> tuple[Characters, Characters]:
    """Read training and test characters. The archive stores images transposed; the result is upright and contiguous.

    Raises:
        InputError: the archive or one of its members cannot be used; the line names both.
    """
    with open_archive(path, ADVICE) as archive:
        return _read_part(archive, "train"), _read_part(archive, "test")


def _read_part(archive: ZipFile, part: str) -> Characters:
    images_name, labels_name = MEMBERS[part]
    labels = _read_member(archive, labels_name, dimensions=1)
    if labels.max() >= len(EMNIST_CHARACTERS):
        raise InputError(f"{labels_name}: label {labels.max()} is outside 0 to {len(EMNIST_CHARACTERS) - 1}")
    images = _read_member(archive, images_name, dimensions=3)
    if len(images) != len(labels):
        raise InputError(f"{images_name}: {len(images)} images for the {len(labels)} labels of {labels_name}")
    for start in range(0, len(images), BLOCK):  # in blocks: a transposed copy of all images would double the memory
        block = images[start : start + BLOCK]
        block[:] = block.transpose(0, 2, 1).copy()
    return Characters(images, labels)


def _read_member(archive: ZipFile, name: str, *, dimensions: int) -> NDArray[np.uint8]:
    with open_member(archive, name, MAX_MEMBER_BYTES) as stream:
        array = read_idx(cast(BinaryIO, stream), name, dimensions=dimensions)
        # Reading to the member's end also makes zipfile check its checksum.
        if stream.read(1):
            raise InputError(f"{name}: goes on after its data")
    return array
