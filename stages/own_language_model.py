"""Stage `own_language_model`: character n-grams of transcribed lines, `data/language_models/<name>.h5`."""

import argparse
from pathlib import Path

from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.common.vocabulary import Vocabulary
from pipeline.data.storage.line_store import read_texts, read_vocabulary
from pipeline.decoding.language_model.ngrams import Symbols
from pipeline.decoding.language_model.own_text import fit_text
from pipeline.decoding.language_model.store import write_language_model
from pipeline.settings.base import read_section
from pipeline.settings.decoding import LanguageModelSettings, OwnLanguageModelSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument("name", help="a key of the section `own_language_models` of params.yaml")


def main(name: str) -> None:
    """Count the n-grams of the training lines and of the user's text; validation and test lines are not read.

    The lines are one running text: most begin in the middle of a sentence, as lines to be read do.
    """
    settings = read_section(OwnLanguageModelSettings, "own_language_models", name)
    vocabulary = read_vocabulary(paths.lines(settings.lines))
    if settings.order > (longest := Symbols(vocabulary).max_order):
        raise InputError(
            f"own_language_models.{name}.order: must be at most {longest} for the {len(vocabulary.characters):,} "
            f"characters of {settings.lines}, got {settings.order}"
        )
    text = " ".join(read_texts(paths.lines(settings.lines), "train"))
    report = f"{len(text):,} characters of training lines"
    if settings.text:
        own = read_own_text(name, Path(settings.text), vocabulary)
        text, report = f"{text} {own}", f"{report} and {len(own):,} of {settings.text}"
    counted = LanguageModelSettings(order=settings.order, smoothing=settings.smoothing)
    levels = write_language_model(paths.language_model(name), text, vocabulary, counted)
    ngrams = sum(len(level.counts) for level in levels)
    print(f"own_language_model: {name}: order {settings.order}, {settings.smoothing}, of {report}: {ngrams:,} n-grams")


def read_own_text(name: str, path: Path, vocabulary: Vocabulary) -> str:
    """Read the user's text, in the characters of the vocabulary, and say which words are left out.

    Raises:
        InputError: the file cannot be read, is not UTF-8, or has no word in these characters.
    """
    key = f"own_language_models.{name}.text: {path}"
    try:
        fitted = fit_text(path.read_text(encoding="utf-8-sig"), vocabulary)
    except OSError as error:
        raise InputError(f"{key}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{key}: not UTF-8 ({error}); save it as UTF-8") from None
    if not fitted.text:
        raise InputError(f"{key}: has no word in the characters of the training lines")
    if fitted.words:
        print(
            f"own_language_model: {name}: left out {fitted.words:,} words of {path} with characters that the training "
            f"lines lack: {' '.join(fitted.characters)}"
        )
    return fitted.text
