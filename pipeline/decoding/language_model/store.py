"""`data/language_model.h5`: the n-gram counts of a language model; the probabilities follow from them."""

from pathlib import Path

import h5py

from pipeline.common.errors import InputError
from pipeline.common.files import atomic_path
from pipeline.common.paths import LANGUAGE_MODEL
from pipeline.common.vocabulary import Vocabulary
from pipeline.decoding.language_model.model import LanguageModel
from pipeline.decoding.language_model.ngrams import NgramCounts, Symbols, count_ngrams
from pipeline.settings.decoding import LanguageModelSettings

FORMAT = "emnist-lines-language-model/1"


def write_language_model(
    path: Path, text: str, vocabulary: Vocabulary, settings: LanguageModelSettings
) -> list[NgramCounts]:
    """Count the n-grams of a text and write them; the same text and settings give the same bytes."""
    levels = count_ngrams(text, settings.order, Symbols(vocabulary))
    with atomic_path(path) as partial, h5py.File(partial, "w") as file:
        file.attrs.update({"format": FORMAT, "vocabulary": vocabulary.characters, **settings.model_dump()})
        for length, level in enumerate(levels):
            group = file.create_group(str(length))
            for name, values in vars(level).items():
                group.create_dataset(
                    name, data=values, chunks=True, shuffle=True, compression="gzip", compression_opts=4
                )
    return levels


def read_language_model(path: Path, vocabulary: Vocabulary) -> LanguageModel:
    """Read a model of the characters of `vocabulary`.

    Raises:
        InputError: the file is missing, damaged, or has another vocabulary or format.
    """
    stage = "language_model" if path == LANGUAGE_MODEL else f"own_language_model@{path.stem}"
    remedy = f"run `dvc repro {stage}`"
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT or file.attrs.get("vocabulary") != vocabulary.characters:
                raise InputError(f"{path}: not a language model of this version and vocabulary; {remedy}")
            levels = [_read_level(file[str(length)]) for length in range(file.attrs["order"])]
            return LanguageModel(levels, file.attrs["smoothing"], Symbols(vocabulary))
    except (OSError, LookupError, TypeError, RuntimeError) as error:  # h5py raises all of these for damaged files
        raise InputError(f"{path}: cannot be read as a language model ({error}); {remedy}") from None


def _read_level(group: h5py.Group) -> NgramCounts:
    return NgramCounts(*(group[name][:] for name in NgramCounts.__dataclass_fields__))
