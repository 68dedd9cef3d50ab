from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from pipeline.data.sources import characters
from pipeline.data.sources.base import LoadedCharacters
from pipeline.data.sources.characters import SOURCES, load_characters
from pipeline.settings.base import read_params
from pipeline.settings.sources import EmnistSettings
from tests.archives import make_characters

SHIPPED = read_params(Path(__file__).parents[3] / "params.yaml")["emnist"]


def test_every_source_that_can_be_named_has_a_loader() -> None:
    assert list(SOURCES) == list(get_args(EmnistSettings.model_fields["source"].annotation))


def test_a_new_source_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {"train": make_characters(4, seed=0), "test": make_characters(2, seed=1)}
    own = LoadedCharacters(parts, "noise", "0" * 64)
    monkeypatch.setattr(characters, "SOURCES", {**SOURCES, "glyphs": lambda settings, store: own})
    loaded = load_characters(EmnistSettings.model_validate({**SHIPPED, "source": "glyphs"}), tmp_path)
    assert (loaded.name, loaded.sha256) == ("noise", "0" * 64)
    assert {name: len(part) for name, part in loaded.parts.items()} == {"train": 186, "validation": 62, "test": 124}
    np.testing.assert_array_equal(loaded.parts["test"].images, parts["test"].images)
