"""Load the characters that the section `emnist` of `params.yaml` asks for."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.data.sources.base import LoadedCharacters, spawn_generators
from pipeline.data.sources.emnist import load_archive, load_nist
from pipeline.data.sources.glyphs import load_glyphs
from pipeline.data.storage.characters import balance, split
from pipeline.settings.sources import EmnistSettings

SOURCES: Mapping[str, Callable[[EmnistSettings, Path], LoadedCharacters]] = {
    "nist": load_nist,
    "archive": load_archive,
    "glyphs": load_glyphs,
}
"""Loaders by `emnist.source`. The path is the folder where downloads are kept."""


def load_characters(settings: EmnistSettings, store: Path) -> LoadedCharacters:
    """Load, balance and split characters into `train`, `validation` and `test`; downloads are kept in `store`.

    Raises:
        InputError: the source cannot be reached or is damaged.
    """
    rng = spawn_generators(settings.seed)[0]
    loaded = SOURCES[settings.source](settings, store)
    train, test = loaded.parts["train"], loaded.parts["test"]
    if settings.balance == "mean":
        train, test = balance(train, rng), balance(test, rng)
    train, validation = split(train, settings.validation_fraction, rng)
    return replace(loaded, parts={"train": train, "validation": validation, "test": test})
