"""Which models a workspace offers, and how they are loaded."""

import json
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.app import models
from pipeline.app.models import Model, ModelStore, find_models, has_models
from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.tracking import registry
from tests.app.conftest import make_workspace
from tests.tiny import tiny_settings


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    make_workspace(tmp_path)
    return tmp_path


def test_experiments_are_sorted_by_their_cer_and_those_of_others_come_last(root: Path) -> None:
    first = paths.checkpoint("first_ctc", 1)
    for copy in (paths.checkpoint("a_not_evaluated", 2), paths.pretrained("theirs")):
        copy.parent.mkdir(parents=True)
        shutil.copy(first, copy)
    found = [(model.name, model.test_cer) for model in find_models()]
    assert found == [("first_ctc", 0.1), ("second_ce", 0.2), ("a_not_evaluated", None), ("pretrained/theirs", None)]


def test_of_several_seeds_the_first_is_taken(root: Path) -> None:
    for seed in (10, 9):
        shutil.copy(paths.checkpoint("second_ce", 1), paths.checkpoint("first_ctc", seed))
    paths.checkpoint("first_ctc", 1).unlink()
    assert find_models()[0].path == paths.checkpoint("first_ctc", 9)


@pytest.mark.parametrize("where", ["an experiment", "elsewhere"])
def test_the_registered_best_model_comes_first(root: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    (root / "mlflow.db").touch()
    copy = root / "trained.ckpt"
    shutil.copy(paths.checkpoint("second_ce", 1), copy)
    if where == "elsewhere":
        copy.write_bytes(b"another one")
    monkeypatch.setattr(registry, "best_checkpoint", lambda: copy)
    first, *others = find_models()
    names = {"an experiment": ("second_ce", ["first_ctc"]), "elsewhere": ("best", ["first_ctc", "second_ce"])}
    assert (first.name, [model.name for model in others]) == names[where]
    assert first.is_best
    assert not any(model.is_best for model in others)


def test_without_a_registered_model_the_others_are_offered(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Path:
        raise InputError("no model has this name")

    (root / "mlflow.db").touch()
    monkeypatch.setattr(registry, "best_checkpoint", refuse)
    assert [model.name for model in find_models()] == ["first_ctc", "second_ce"]


def test_a_folder_without_models_is_refused_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert not has_models(tmp_path)
    with pytest.raises(InputError, match=r"there is no model yet; make some with `make demo` or `dvc repro`"):
        find_models()


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
