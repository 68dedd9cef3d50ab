"""`data/characters.h5`: upright character images in three parts that share no image."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.common.errors import InputError, reraise_shortage
from pipeline.common.files import atomic_path
from pipeline.common.geometry import CELL
from pipeline.common.splits import SPLITS
from pipeline.common.vocabulary import EMNIST_CHARACTERS
from pipeline.data.storage.hdf5 import in_line, require_stored, write_hdf5


@dataclass(frozen=True)
class Characters:
    """Images (N, 28, 28) uint8, 0 paper to 255 ink, and labels (N,) uint8, 0 to 61 in EMNIST's order."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.intp]) -> "Characters":
        """The characters at `indices`, in that order."""
        return Characters(self.images[indices], self.labels[indices])


def balance(characters: Characters, rng: np.random.Generator) -> Characters:
    """Cap every class at the mean count per class, drawing the images that stay at random."""
    classes = len(EMNIST_CHARACTERS)
    cap = len(characters) // classes
    shuffled = rng.permutation(len(characters))
    kept = [shuffled[characters.labels[shuffled] == label][:cap] for label in range(classes)]
    return characters.take(np.sort(np.concatenate(kept)))


def split(characters: Characters, fraction: float, rng: np.random.Generator) -> tuple[Characters, Characters]:
    """Part with `1 - fraction` of every class, and part with the rest: at least one image on either side.

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
    """Write the three parts, byte-identical for the same input; `attributes` says what they are."""
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
        InputError: the file is absent or is not one that `write_characters` wrote.
    """
    try:
        with h5py.File(path, "r") as file:
            require_stored({name: file[part][name] for name in ("images", "labels")})
            images, labels = file[part]["images"][:], file[part]["labels"][:]
        _require_characters(images, labels)
    except (OSError, LookupError, TypeError, ValueError, RuntimeError) as error:  # what h5py raises for other files
        reraise_shortage(error)
        raise InputError(f"{path}: no characters to read ({in_line(error)}); run `dvc repro download`") from None
    return Characters(images, labels)


def _require_characters(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
    if images.dtype.itemsize != 1 or labels.dtype.itemsize != 1 or images.shape[1:] != (CELL, CELL) or labels.ndim != 1:
        raise ValueError(f"images {images.shape} {images.dtype}, labels {labels.shape} {labels.dtype}")
    if labels.max() >= len(EMNIST_CHARACTERS):
        raise ValueError(f"label {labels.max()} is outside 0 to {len(EMNIST_CHARACTERS) - 1}")


def describe_source(path: Path) -> dict[str, Any]:
    """The attributes that say where the characters came from: `data`, a name for people, among them.

    Raises:
        InputError: the file is absent or no HDF5.
    """
    try:
        with h5py.File(path, "r") as file:
            found = {key: value.item() if isinstance(value, np.generic) else value for key, value in file.attrs.items()}
    except (OSError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{path}: no characters to read ({in_line(error)}); run `dvc repro download`") from None
    if wrong := [name for name in ("data", "source", "sha256") if not isinstance(found.get(name), str)]:
        raise InputError(f"{path}: does not say its {', '.join(wrong)}; run `dvc repro -f download`")
    return found
