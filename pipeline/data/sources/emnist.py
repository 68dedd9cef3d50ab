"""EMNIST ByClass: NIST's archive, or its four IDX files in any archive or folder."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.common.errors import InputError
from pipeline.common.files import file_sha256
from pipeline.common.vocabulary import EMNIST_CHARACTERS
from pipeline.data.sources.archives import File, describe_files, find_files, open_archive, open_file
from pipeline.data.sources.base import LoadedCharacters
from pipeline.data.sources.download import Pin, fetch_first, obtain
from pipeline.data.sources.idx import read_idx
from pipeline.data.storage.characters import Characters
from pipeline.settings.sources import EmnistSettings

MEMBERS = {
    part: (f"emnist-byclass-{part}-images-idx3-ubyte", f"emnist-byclass-{part}-labels-idx1-ubyte")
    for part in ("train", "test")
}
"""Names of the files of images and labels; with or without `.gz`."""
NAME = r"(emnist-byclass-(?:train|test)-(?:images-idx3|labels-idx1)-ubyte)(?:\.gz)?"
MAX_FILE_BYTES = 1 << 31
"""Three times EMNIST's largest file, not compressed."""
OFFICIAL_COUNTS = (697_932, 116_323, 402_953, 220_304, 190_998)
"""Characters of EMNIST ByClass to train and to test, then digits, capital and small letters of both; from
G. Cohen et al., EMNIST: an extension of MNIST to handwritten letters (2017)."""
OTHER_SPLITS = {"Letters": (1, 26), "Digits or MNIST": (0, 9), "Balanced or ByMerge": (0, 46)}
"""The first and the last label of EMNIST's other splits."""
ADVICE = "emnist needs the images and labels of EMNIST ByClass, undamaged, in a zip or tar archive or a folder"
HINT = (
    "download gzip.zip of EMNIST by other means, then set emnist.source to archive and emnist.archive to its path, "
    "or set emnist.source to glyphs to go on without EMNIST"
)
ARCHIVE_HINT = (
    "set emnist.archive or emnist.url to EMNIST ByClass and emnist.sha256 to its hash, or for a path to null, or set "
    "emnist.source to nist or glyphs"
)
BLOCK = 4096


def load_nist(settings: EmnistSettings, store: Path) -> LoadedCharacters:
    """Load the official archive; download it if `store` does not have it."""
    nist = settings.nist
    archive = fetch_first(nist.urls, store, Pin("emnist.nist", nist.sha256, nist.md5), hint=HINT)
    return _load(archive, nist.sha256)


def load_archive(settings: EmnistSettings, store: Path) -> LoadedCharacters:
    """Load the user's own archive or folder."""
    archive = obtain(settings.place, store, Pin("emnist", settings.sha256), hint=ARCHIVE_HINT)
    return _load(archive, settings.nist.sha256)


def _load(archive: Path, official: str) -> LoadedCharacters:
    train, test = read_archive(archive)
    sha256 = file_sha256(archive) if archive.is_file() else _content_sha256(train, test)
    kind = "" if sha256 == official or _counts(train.labels, test.labels) == OFFICIAL_COUNTS else " re-split"
    return LoadedCharacters(
        {"train": train, "test": test}, f"EMNIST ByClass{kind} ({len(train):,} train characters)", sha256
    )


def read_archive(path: Path) -> tuple[Characters, Characters]:
    """Read training and test characters. EMNIST stores images transposed; the result is upright and contiguous.

    Raises:
        InputError: the archive or one of its files cannot be used; the line names both.
    """
    with open_archive(path, ADVICE) as files:
        found = find_files(files, NAME)
        for name in (name for names in MEMBERS.values() for name in names):
            if name not in found:
                raise InputError(f"has no file {name} or {name}.gz, {describe_files(files)}")
        labels = {part: _read_labels(found[name]) for part, (_, name) in MEMBERS.items()}
        train, test = (_read_images(found, part, labels[part]) for part in MEMBERS)
    return train, test


def _read_labels(file: File) -> NDArray[np.uint8]:
    with open_file(file, MAX_FILE_BYTES) as stream:
        labels = read_idx(stream, dimensions=1)
    classes = np.bincount(labels, minlength=len(EMNIST_CHARACTERS)) > 0
    present = np.flatnonzero(classes)
    for split, (first, last) in OTHER_SPLITS.items():
        if np.array_equal(present, range(first, last + 1)):
            raise InputError(f"{file.path}: has labels {first} to {last}, as EMNIST {split} has; ByClass has 0 to 61")
    if present[-1] >= len(EMNIST_CHARACTERS):
        raise InputError(f"{file.path}: label {present[-1]} is outside 0 to {len(EMNIST_CHARACTERS) - 1}")
    if not classes.all():
        missing = ", ".join(map(str, np.flatnonzero(~classes)))
        raise InputError(f"{file.path}: has no label {missing}; each of 0 to {len(EMNIST_CHARACTERS) - 1} is needed")
    return labels


def _read_images(found: Mapping[str, File], part: str, labels: NDArray[np.uint8]) -> Characters:
    file, labels_file = (found[name] for name in MEMBERS[part])
    with open_file(file, MAX_FILE_BYTES) as stream:
        images = read_idx(stream, dimensions=3)
    if len(images) != len(labels):
        raise InputError(f"{file.path}: {len(images)} images for the {len(labels)} labels of {labels_file.path}")
    for start in range(0, len(images), BLOCK):  # in blocks: a transposed copy of all images would double the memory
        block = images[start : start + BLOCK]
        block[:] = block.transpose(0, 2, 1).copy()
    return Characters(images, labels)


def _counts(train: NDArray[np.uint8], test: NDArray[np.uint8]) -> tuple[int, ...]:
    """What `OFFICIAL_COUNTS` lists, of these labels."""
    both = np.bincount(np.concatenate((train, test)), minlength=len(EMNIST_CHARACTERS))
    return len(train), len(test), *(int(part.sum()) for part in np.split(both, [10, 36]))


def _content_sha256(*parts: Characters) -> str:
    """The hash of what a folder holds; an archive has a hash of its own."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.images.data)
        digest.update(part.labels.data)
    return digest.hexdigest()
