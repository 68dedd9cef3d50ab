"""Which models a workspace offers."""

import shutil
from pathlib import Path

import pytest

from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.inference.available_models import find_models, has_models
from pipeline.tracking import registry
from tests.app.conftest import enter_workspace


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter_workspace(tmp_path, monkeypatch)


def test_experiments_are_sorted_by_their_cer_and_those_of_others_come_last(root: Path) -> None:
    first = paths.checkpoint("first_ctc", 1)
    for copy in (paths.checkpoint("a_not_evaluated", 2), paths.pretrained("theirs")):
        copy.parent.mkdir(parents=True)
        shutil.copy(first, copy)
    found = [(model.name, model.test_cer) for model in find_models(Path())]
    assert found == [("first_ctc", 0.1), ("second_ce", 0.2), ("a_not_evaluated", None), ("pretrained/theirs", None)]


def test_of_several_seeds_the_first_is_taken(root: Path) -> None:
    for seed in (10, 9):
        shutil.copy(paths.checkpoint("second_ce", 1), paths.checkpoint("first_ctc", seed))
    paths.checkpoint("first_ctc", 1).unlink()
    assert find_models(Path())[0].path == paths.checkpoint("first_ctc", 9)


@pytest.mark.parametrize("where", ["an experiment", "elsewhere"])
def test_the_registered_best_model_comes_first(root: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    (root / "mlflow.db").touch()
    copy = root / "trained.ckpt"
    shutil.copy(paths.checkpoint("second_ce", 1), copy)
    if where == "elsewhere":
        copy.write_bytes(b"another one")
    monkeypatch.setattr(registry, "best_checkpoint", lambda: copy)
    first, *others = find_models(Path())
    names = {"an experiment": ("second_ce", ["first_ctc"]), "elsewhere": ("best", ["first_ctc", "second_ce"])}
    assert (first.name, [model.name for model in others]) == names[where]
    assert first.is_best
    assert not any(model.is_best for model in others)


def test_without_a_registered_model_the_others_are_offered(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Path:
        raise InputError("no model has this name")

    (root / "mlflow.db").touch()
    monkeypatch.setattr(registry, "best_checkpoint", refuse)
    assert [model.name for model in find_models(Path())] == ["first_ctc", "second_ce"]


def test_experiments_on_the_lines_that_most_share_come_first(root: Path) -> None:
    for cer, name in ((0.01, "a_easy"), (0.3, "z_third")):
        paths.models(name).mkdir()
        paths.checkpoint(name, 1).touch()
        paths.metrics(name).write_text(f'{{"test_cer": {cer}}}')
    lines = {"first_ctc": "variable", "second_ce": "variable", "z_third": "variable", "a_easy": "aligned"}
    settings = "".join(f"  {name}: {{lines: {data}}}\n" for name, data in lines.items())
    Path("params.yaml").write_text(f"experiments:\n{settings}  not_trained:\n")
    assert [model.name for model in find_models(root)] == ["first_ctc", "second_ce", "z_third", "a_easy"]


@pytest.mark.parametrize("remote", ["", "[core]\n    remote = shared\n['remote \"shared\"']\n    url = /somewhere\n"])
def test_a_folder_without_models_is_refused_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remote: str
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text(remote)
    assert not has_models(tmp_path)
    with pytest.raises(InputError) as error:
        find_models(tmp_path)
    advice = "there is no model yet; make some with `make demo` or `dvc repro`, or get trained ones with `dvc pull`"
    missing = "" if remote else ", after `dvc remote add --default NAME URL`: no remote is set"
    assert str(error.value) == advice + missing
