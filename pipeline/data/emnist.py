"""EMNIST ByClass in NIST's layout: gzip-compressed IDX members of a zip archive, read without extracting."""

import zlib
from pathlib import Path
from typing import BinaryIO, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from pipeline.data.characters import Characters
from pipeline.data.idx import read_idx
from pipeline.errors import InputError
from pipeline.vocabulary import EMNIST_CHARACTERS

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
ENCRYPTED = 0x1
BLOCK = 4096


def read_archive(path: Path) -> tuple[Characters, Characters]:
    """Read the archive's training and test characters: upright and C-contiguous, though stored transposed.

    Raises:
        InputError: the archive or a member of it cannot be used; the line names both.
    """
    try:
        with ZipFile(path) as archive:
            return _read_part(archive, "train"), _read_part(archive, "test")
    except InputError as error:
        raise InputError(f"{path}: {error}; {ADVICE}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); {ADVICE}") from None
    # Beside BadZipFile, a mangled directory of members ends in a ValueError or NotImplementedError.
    except (BadZipFile, NotImplementedError, ValueError) as error:
        raise InputError(f"{path}: damaged or not a zip archive ({error}); {ADVICE}") from None


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
    try:
        member = archive.getinfo(name)
    except KeyError:
        raise InputError(f"has no member {name}") from None
    if member.flag_bits & ENCRYPTED:
        raise InputError(f"{name}: is encrypted")
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise InputError(f"{name}: is compressed by method {member.compress_type}; stored or deflated can be read")
    if member.file_size > MAX_MEMBER_BYTES:
        raise InputError(f"{name}: is {member.file_size} bytes; at most {MAX_MEMBER_BYTES} can be read")
    try:
        with archive.open(member) as stream:
            array = read_idx(cast(BinaryIO, stream), name, dimensions=dimensions)
            # The zip's own checksum is compared at the member's end.
            if stream.read(1):
                raise InputError(f"{name}: goes on after its data")
    except (BadZipFile, EOFError, zlib.error, NotImplementedError) as error:
        raise InputError(f"{name}: is damaged ({error})") from None
    return array
