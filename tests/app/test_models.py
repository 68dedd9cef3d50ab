"""How models are loaded, and with which language model they read."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.app import models
from pipeline.app.models import ModelStore
from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.inference.available_models import Model
from tests.app.conftest import enter_workspace
from tests.tiny import tiny_settings


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter_workspace(tmp_path, monkeypatch)


def test_a_model_is_loaded_once_and_the_one_not_used_for_longest_goes(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "MAX_LOADED", 2)
    store, read = ModelStore(), []
    monkeypatch.setattr(store, "_read", lambda model: read.append(model.name) or tiny_settings("line_cnn").build())
    store.models["third"] = Model("third", root)
    first = store.load("first_ctc")
    for name in ("second_ce", "first_ctc", "third", "first_ctc", "second_ce"):
        store.load(name)
    assert store.load("first_ctc") is first
    assert read == ["first_ctc", "second_ce", "third", "second_ce"]


@pytest.mark.parametrize("name", ["", "best"])
def test_without_a_name_the_first_model_reads(root: Path, name: str) -> None:
    store = ModelStore()
    assert store.load(name) is store.load("first_ctc")


@pytest.mark.parametrize("name", ["other", "../first_ctc", "models/first_ctc/seed_1.ckpt", "/etc/passwd"])
def test_only_names_of_the_list_are_loaded(root: Path, name: str) -> None:
    with pytest.raises(InputError, match="is unknown; there are first_ctc, second_ce"):
        ModelStore().load(name)


def write_search(root: Path, key: str, experiment: str, language_model: str, *, tuned: bool) -> None:
    """Add a beam search to params.yaml."""
    file = YAML()
    path = root / "params.yaml"
    params = file.load(path) if path.exists() else {"decoding": {}}
    weights = {"lm_weights": [0.5], "length_bonuses": [0.0]}
    search = {"experiment": experiment, "language_model": language_model, "width": 4, "candidates": 4, **weights}
    params["decoding"][key] = search
    file.dump(params, path)
    if tuned:
        chosen = {"lm_weight": 0.25, "length_bonus": 0.0, "prior_weight": 0.0, "intermediate_share": 0.0}
        chosen["calibration"] = {"characters": {"temperature": 1.0}}
        paths.decoding_metrics(key).parent.mkdir(exist_ok=True)
        paths.decoding_metrics(key).write_text(json.dumps({"by_seed": {"1": chosen}}))


@pytest.mark.parametrize(
    ("searches", "expected"),
    [
        ([], ("data/language_model.h5", 0.7)),
        ([("second_ce", "data/other.h5", True)], ("data/language_model.h5", 0.7)),
        ([("first_ctc", "data/language_models/own.h5", True)], ("data/language_models/own.h5", 0.25)),
        ([("first_ctc", "data/language_models/own.h5", False)], ("data/language_models/own.h5", 0.7)),
        (
            [("first_ctc", "data/language_models/own.h5", False), ("first_ctc", "data/b.h5", True)],
            ("data/b.h5", 0.25),
        ),
    ],
)
def test_a_model_reads_with_the_language_model_of_its_beam_search(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    searches: list[tuple[str, str, bool]],
    expected: tuple[str, float],
) -> None:
    for number, (experiment, language_model, tuned) in enumerate(searches):
        write_search(root, f"search_{number}", experiment, language_model, tuned=tuned)
    asked: list[str] = []
    used: list[float] = []

    def read(path: Path, vocabulary: object) -> object:
        asked.append(str(path))
        return object()

    monkeypatch.setattr("pipeline.decoding.language_model.store.read_language_model", read)
    monkeypatch.setattr("pipeline.decoding.language_model.cache.LanguageModelCache", lambda lm: lm)
    monkeypatch.setattr("pipeline.app.reading.beam_decoder", lambda _, tuned, lm: used.append(tuned.search.lm_weight))
    store = ModelStore()
    store.load("first_ctc")
    assert (asked, used) == ([expected[0]], [expected[1]])
