"""`data/characters.h5`: upright character images for training, validation and test, which share no image."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.common.errors import InputError
from pipeline.common.files import atomic_path
from pipeline.common.geometry import CELL
from pipeline.common.splits import SPLITS
from pipeline.common.vocabulary import EMNIST_CHARACTERS
from pipeline.data.storage.hdf5 import check_datasets, plain_attributes, read_hdf5, write_hdf5

UNREADABLE = "no characters to read", "run `dvc repro download`"


@dataclass(frozen=True)
class Characters:
    """N images with their labels."""

    images: NDArray[np.uint8]
    """(N, 28, 28), 0 background to 255 ink."""
    labels: NDArray[np.uint8]
    """(N,) 0 to 61: positions in `EMNIST_CHARACTERS`."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.intp]) -> "Characters":
        """Select the characters at `indices`, in that order."""
        return Characters(self.images[indices], self.labels[indices])


def balance(characters: Characters, rng: np.random.Generator) -> Characters:
    """Limit each class to the mean number of images per class; sample the images that stay without replacement."""
    classes = len(EMNIST_CHARACTERS)
    cap = len(characters) // classes
    shuffled = rng.permutation(len(characters))
    kept = [shuffled[characters.labels[shuffled] == label][:cap] for label in range(classes)]
    return characters.take(np.sort(np.concatenate(kept)))


def split(characters: Characters, fraction: float, rng: np.random.Generator) -> tuple[Characters, Characters]:
    """Split each class at random: about `1 - fraction` of its images first, the others second, each at least one.

    Raises:
        InputError: a class has fewer than two images.
    """
    shuffled = rng.permutation(len(characters))
    first, second = [], []
    for label, name in enumerate(EMNIST_CHARACTERS):
        members = shuffled[characters.labels[shuffled] == label]
        if len(members) < 2:
            raise InputError(f"characters: {len(members)} images of {name!r}; a split needs at least 2 of each class")
        cut = min(max(round(len(members) * fraction), 1), len(members) - 1)
        second.append(members[:cut])
        first.append(members[cut:])
    return tuple(characters.take(np.sort(np.concatenate(part))) for part in (first, second))  # type: ignore[return-value]


def write_characters(path: Path, parts: Mapping[str, Characters], attributes: Mapping[str, Any]) -> None:
    """Write the three parts and `attributes`, which say where they come from. Equal input gives equal bytes."""
    with atomic_path(path) as partial, write_hdf5(partial) as file:
        file.attrs.update(attributes)
        for name in SPLITS:
            group = file.create_group(name)
            images = parts[name].images
            group.create_dataset("images", data=images, compression="lzf", chunks=(min(64, len(images)), 28, 28))
            group.create_dataset("labels", data=parts[name].labels)


def read_characters(path: Path, part: str) -> Characters:
    """Read one of `SPLITS`.

    Raises:
        InputError: the file is absent, damaged, or was not written by `write_characters`.
    """
    with read_hdf5(path, *UNREADABLE) as file:
        check_datasets({name: file[part][name] for name in ("images", "labels")})
        images, labels = file[part]["images"][:], file[part]["labels"][:]
        _check_arrays(images, labels)
    return Characters(images, labels)


def _check_arrays(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
    if images.dtype.itemsize != 1 or labels.dtype.itemsize != 1 or images.shape[1:] != (CELL, CELL) or labels.ndim != 1:
        raise ValueError(f"images {images.shape} {images.dtype}, labels {labels.shape} {labels.dtype}")
    if labels.max() >= len(EMNIST_CHARACTERS):
        raise ValueError(f"label {labels.max()} is outside 0 to {len(EMNIST_CHARACTERS) - 1}")


def describe_source(path: Path) -> dict[str, Any]:
    """Read the attributes that say where the characters come from; `data` is their name for people.

    Raises:
        InputError: the file is absent, is not HDF5, or lacks such an attribute.
    """
    with read_hdf5(path, *UNREADABLE) as file:
        attributes = plain_attributes(file)
    if wrong := [name for name in ("data", "source", "sha256") if not isinstance(attributes.get(name), str)]:
        raise InputError(f"{path}: does not say its {', '.join(wrong)}; run `dvc repro -f download`")
    return attributes
