from pathlib import Path
from typing import get_args

import pytest

from pipeline.data.sources import corpus
from pipeline.data.sources.base import LoadedText
from pipeline.data.sources.corpus import SOURCES, load_corpus
from pipeline.settings.base import read_params
from pipeline.settings.sources import CorpusSettings

SHIPPED = read_params(Path(__file__).parents[3] / "params.yaml")["corpus"]


def test_every_source_that_can_be_named_has_a_loader() -> None:
    assert list(SOURCES) == list(get_args(CorpusSettings.model_fields["source"].annotation))


def test_a_new_source_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = LoadedText([(f"d{number}", f"over-all{number}") for number in range(10)], "Own text", "0" * 64)
    monkeypatch.setattr(corpus, "SOURCES", {**SOURCES, "builtin": lambda settings, store: own})
    loaded = load_corpus(CorpusSettings.model_validate({**SHIPPED, "source": "builtin"}), tmp_path)
    assert (loaded.name, loaded.source, loaded.sha256) == ("Own text", "builtin", "0" * 64)
    assert loaded.documents == {"train": 8, "validation": 1, "test": 1}
    assert sorted(" ".join(loaded.text.values()).split()) == [f"overall{number}" for number in range(10)]
