"""What every source returns. The sources have their names in `characters.py` and `corpus.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.data.storage.characters import Characters
from pipeline.data.storage.corpus import Document


@dataclass(frozen=True)
class LoadedCharacters:
    """Characters from one source."""

    parts: Mapping[str, Characters]
    """`train` and `test` from the source; `load_characters` splits `validation` off."""
    name: str
    """What reports call these characters."""
    sha256: str = ""
    """Hash of the archive or of the characters in a folder, or empty if code drew them."""


@dataclass(frozen=True)
class LoadedText:
    """Text from one source."""

    documents: Sequence[Document]
    name: str
    """What reports call this text."""
    sha256: str = ""
    """Hash of the archive, or empty if there is none."""


def spawn_generators(seed: int) -> list[np.random.Generator]:
    """Return three independent generators: for balancing and splitting, for training and for test images."""
    return [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3)]
