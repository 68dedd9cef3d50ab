"""Which models a workspace offers, and how they are loaded."""

import shutil
from pathlib import Path

import pytest

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
