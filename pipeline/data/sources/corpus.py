"""From the section `corpus` of `params.yaml` to text, wherever it comes from."""

from pathlib import Path

import numpy as np

from pipeline.common.files import file_sha256
from pipeline.data.sources.brown import HINT, brown_documents, download_brown
from pipeline.data.sources.download import obtain
from pipeline.data.sources.help_pages import builtin_documents
from pipeline.data.storage.corpus import Corpus, make_corpus, split_documents
from pipeline.settings.sources import CorpusSettings


def load_corpus(settings: CorpusSettings, store: Path) -> Corpus:
    """Get, normalize and split the text; downloads are kept in `store`.

    Raises:
        InputError: the source cannot be reached or is not what it should be.
    """
    if settings.source == "builtin":
        documents, name, sha256 = builtin_documents(), "Python's help pages", ""
    else:
        archive = get_archive(settings, store)
        documents, name, sha256 = brown_documents(archive), "the Brown corpus", file_sha256(archive)
    rng = np.random.default_rng(settings.seed)
    parts = split_documents(documents, settings.validation_fraction, settings.test_fraction, rng)
    return make_corpus(parts, name=name, source=settings.source, sha256=sha256)


def get_archive(settings: CorpusSettings, store: Path) -> Path:
    """The path of `brown.zip`, after its hash was checked."""
    if settings.source == "brown":
        return download_brown(store, settings.brown.sha256)
    assert settings.archive, "the settings require it"
    return obtain(settings.archive, store, sha256=settings.brown.sha256, hint=HINT)
