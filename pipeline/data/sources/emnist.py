"""EMNIST ByClass in NIST's layout: gzip-compressed IDX members of a zip archive, read without extracting."""

from pathlib import Path
from typing import BinaryIO, cast
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from pipeline.common.errors import InputError
from pipeline.common.vocabulary import EMNIST_CHARACTERS
from pipeline.data.sources.archives import open_archive, open_member
from pipeline.data.sources.idx import read_idx
from pipeline.data.storage.characters import Characters

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
"""Images and labels of either part of the archive."""
MAX_MEMBER_BYTES = 1 << 29
"""Three times EMNIST's largest member, as the archive holds it."""
ADVICE = "emnist needs an undamaged archive in the layout of NIST's gzip.zip"
BLOCK = 4096


def read_archive(path: Path) -> tuple[Characters, Characters]:
    """Read the archive's training and test characters: upright and C-contiguous, though stored transposed.

    Raises:
        InputError: the archive or a member of it cannot be used; the line names both.
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
    for start in range(0, len(images), BLOCK):  # in place: a transposed copy would double the memory
        block = images[start : start + BLOCK]
        block[:] = block.transpose(0, 2, 1).copy()
    return Characters(images, labels)


def _read_member(archive: ZipFile, name: str, *, dimensions: int) -> NDArray[np.uint8]:
    with open_member(archive, name, MAX_MEMBER_BYTES) as stream:
        array = read_idx(cast(BinaryIO, stream), name, dimensions=dimensions)
        # The zip's own checksum is compared at the member's end.
        if stream.read(1):
            raise InputError(f"{name}: goes on after its data")
    return array
