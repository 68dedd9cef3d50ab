from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.common.errors import InputError
from pipeline.common.vocabulary import EMNIST
from pipeline.decoding.language_model.model import LanguageModel
from pipeline.decoding.language_model.ngrams import BOUNDARY, Symbols, count_ngrams
from pipeline.decoding.language_model.store import read_language_model, write_language_model
from pipeline.settings.decoding import LanguageModelSettings

SYMBOLS = Symbols(EMNIST)

TEXT = "some words and some more words"
SETTINGS = LanguageModelSettings(order=4, smoothing="discounting")


def test_a_model_survives_writing_and_reading(tmp_path: Path) -> None:
    write_language_model(tmp_path / "a.h5", TEXT, EMNIST, SETTINGS)
    model = read_language_model(tmp_path / "a.h5", EMNIST)
    assert model.order == 4
    contexts = np.array([SYMBOLS.context(BOUNDARY)])
    again = LanguageModel(count_ngrams(TEXT, 4, SYMBOLS), "discounting", SYMBOLS)
    assert np.array_equal(model.log_probabilities(contexts), again.log_probabilities(contexts))


def test_the_same_text_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        write_language_model(tmp_path / name, TEXT, EMNIST, SETTINGS)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_file_that_is_not_a_model_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with pytest.raises(InputError, match="cannot be read as a language model"):
        read_language_model(path, EMNIST)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="cannot be read as a language model"):
        read_language_model(path, EMNIST)
    write_language_model(path, TEXT, EMNIST, SETTINGS)
    with h5py.File(path, "r+") as file:
        del file["2/counts"]
    with pytest.raises(InputError, match="cannot be read as a language model"):
        read_language_model(path, EMNIST)
    with h5py.File(path, "r+") as file:
        file.attrs["vocabulary"] = "abc"
    with pytest.raises(InputError, match="not a language model of this version"):
        read_language_model(path, EMNIST)
