"""Stage `language_model`: character n-grams of the training text, `data/language_model.h5`."""

from pathlib import Path

from pipeline.common.paths import LANGUAGE_MODEL
from pipeline.common.vocabulary import EMNIST
from pipeline.data.storage.corpus import read_corpus
from pipeline.decoding.language_model.store import write_language_model
from pipeline.settings.base import read_section
from pipeline.settings.decoding import LanguageModelSettings


def main() -> None:
    """Count the n-grams of the training text; validation and test text are not read."""
    settings = read_section(LanguageModelSettings, "language_model")
    text = " ".join(read_corpus(Path("data/corpus.json"), "train"))
    levels = write_language_model(LANGUAGE_MODEL, text, EMNIST, settings)
    print(
        f"language_model: order {settings.order}, {settings.smoothing}, of {len(text):,} characters: "
        f"{sum(len(level.counts) for level in levels):,} n-grams"
    )
