"""Load the text that the section `corpus` of `params.yaml` asks for."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from pipeline.data.sources.base import LoadedText
from pipeline.data.sources.brown import load_archive, load_brown
from pipeline.data.sources.help_pages import load_help_pages
from pipeline.data.storage.corpus import Corpus, make_corpus, split_documents
from pipeline.settings.sources import CorpusSettings

SOURCES: Mapping[str, Callable[[CorpusSettings, Path], LoadedText]] = {
    "brown": load_brown,
    "archive": load_archive,
    "builtin": load_help_pages,
}
"""Loaders by `corpus.source`. The path is the folder where downloads are kept."""


def load_corpus(settings: CorpusSettings, store: Path) -> Corpus:
    """Load, split and normalize text; downloads are kept in `store`.

    Raises:
        InputError: the source cannot be reached or is damaged.
    """
    loaded = SOURCES[settings.source](settings, store)
    rng = np.random.default_rng(settings.seed)
    parts = split_documents(loaded.documents, settings.validation_fraction, settings.test_fraction, rng)
    return make_corpus(parts, name=loaded.name, source=settings.source, sha256=loaded.sha256)
