"""`data/language_model.h5`: the counts of a language model, from which its estimates follow."""

from pathlib import Path

import h5py

from pipeline.common.errors import InputError
from pipeline.common.files import atomic_path
from pipeline.common.vocabulary import CHARACTERS
from pipeline.decoding.language_model.model import LanguageModel
from pipeline.decoding.language_model.ngrams import Followers, count_followers
from pipeline.settings.decoding import LanguageModelSettings

FORMAT = "emnist-lines-language-model/1"
REMEDY = "run `dvc repro language_model`"


def write_language_model(path: Path, text: str, settings: LanguageModelSettings) -> list[Followers]:
    """Count a text and write the counts; the same text and settings give the same bytes."""
    levels = count_followers(text, settings.order)
    with atomic_path(path) as partial, h5py.File(partial, "w") as file:
        file.attrs.update({"format": FORMAT, "vocabulary": CHARACTERS, **settings.model_dump()})
        for length, level in enumerate(levels):
            group = file.create_group(str(length))
            for name, values in vars(level).items():
                group.create_dataset(
                    name, data=values, chunks=True, shuffle=True, compression="gzip", compression_opts=4
                )
    return levels


def read_language_model(path: Path) -> LanguageModel:
    """Read a model.

    Raises:
        InputError: the file is absent, damaged, or of another vocabulary or format.
    """
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT or file.attrs.get("vocabulary") != CHARACTERS:
                raise InputError(f"{path}: not a language model of this version and vocabulary; {REMEDY}")
            levels = [_level(file[str(length)]) for length in range(file.attrs["order"])]
            return LanguageModel(levels, file.attrs["smoothing"])
    except (OSError, LookupError, TypeError, RuntimeError) as error:  # what h5py raises for damaged files
        raise InputError(f"{path}: cannot be read as a language model ({error}); {REMEDY}") from None


def _level(group: h5py.Group) -> Followers:
    return Followers(*(group[name][:] for name in Followers.__dataclass_fields__))
