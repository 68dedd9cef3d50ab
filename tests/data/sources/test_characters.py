from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from pipeline.data.sources import characters
from pipeline.data.sources.base import LoadedCharacters
from pipeline.data.sources.characters import SOURCES, load_characters
from pipeline.data.storage.characters import Characters
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


def test_both_parts_are_balanced_and_the_seed_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = make_characters(20, seed=0)
    # 40 images of one label and 4 of each of the 61 others: the mean is 4.6.
    unequal = Characters(noise.images[:284], np.repeat(np.arange(62, dtype=np.uint8), [40] + [4] * 61))
    own = LoadedCharacters({"train": unequal, "test": unequal}, "noise", "0" * 64)
    monkeypatch.setattr(characters, "SOURCES", {"glyphs": lambda settings, store: own})
    settings = {**SHIPPED, "source": "glyphs", "balance": "mean", "validation_fraction": 0.25}
    first, same, other = (
        load_characters(EmnistSettings.model_validate({**settings, "seed": seed}), tmp_path).parts for seed in (1, 1, 2)
    )
    counts = {name: np.bincount(part.labels).tolist() for name, part in first.items()}
    assert counts == {"train": [3] * 62, "validation": [1] * 62, "test": [4] * 62}
    for name, part in first.items():
        np.testing.assert_array_equal(part.images, same[name].images)
        assert not np.array_equal(part.images, other[name].images)
