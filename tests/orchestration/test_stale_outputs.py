"""Outputs of removed settings, in a small DVC project."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.orchestration.stale_outputs import remove_stale_outputs
from tests.orchestration.dvc_projects import init_dvc

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon:DeprecationWarning")  # DVC's own
WRITE = """import pathlib, sys
for name in sys.argv[1:]:
    path = pathlib.Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(name)
"""
PARAMS: dict[str, Any] = {"lines": {"short": 1}, "experiments": {"kept": 1, "gone": 2}, "decoding": {}}


def dvc(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments, "--quiet"], check=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two experiments with a folder of two files and a file each, whose stages have run."""
    monkeypatch.chdir(tmp_path)
    outs = ["models/${key}", "metrics/${key}.json"]
    command = f"{sys.executable} write.py models/${{key}}/1.ckpt models/${{key}}/2.ckpt metrics/${{key}}.json"
    train = {"foreach": "${experiments}", "do": {"cmd": command, "deps": ["source"], "outs": outs}}
    YAML().dump({"stages": {"train": train}}, tmp_path / "dvc.yaml")
    YAML().dump(PARAMS, tmp_path / "params.yaml")
    (tmp_path / "write.py").write_text(WRITE)
    (tmp_path / "source").touch()  # DVC restores no stage without a dependency
    init_dvc(tmp_path)
    dvc("repro")
    return tmp_path


def left(project: Path) -> list[str]:
    found = [path for folder in ("models", "metrics") for path in (project / folder).rglob("*") if path.is_file()]
    return sorted(path.relative_to(project).as_posix() for path in found)


KEPT = ["metrics/kept.json", "models/kept/1.ckpt", "models/kept/2.ckpt"]


def test_outputs_of_a_removed_experiment_go_and_come_back(project: Path) -> None:
    everything = left(project)
    assert remove_stale_outputs(PARAMS) == []
    del (params := {**PARAMS, "experiments": dict(PARAMS["experiments"])})["experiments"]["gone"]
    YAML().dump(params, project / "params.yaml")  # as it is when the stage `check` runs
    assert sorted(remove_stale_outputs(params)) == ["metrics/gone.json", "models/gone"]
    assert left(project) == KEPT
    assert remove_stale_outputs(params) == []
    YAML().dump(PARAMS, project / "params.yaml")
    (project / "write.py").write_text("raise SystemExit('it runs again')")
    dvc("repro")
    assert left(project) == everything


@pytest.mark.parametrize("path", ["models/gone/1.ckpt", "models/gone/mine.ckpt", "metrics/gone.json"])
def test_what_dvc_cannot_bring_back_stays(project: Path, path: str) -> None:
    (project / path).unlink(missing_ok=True)  # it may be a link into the cache
    (project / path).write_text("my own")
    removed = remove_stale_outputs({**PARAMS, "experiments": {"kept": 1}})
    assert removed == (["models/gone"] if path.startswith("metrics") else ["metrics/gone.json"])
    assert (project / path).read_text() == "my own"


def test_what_the_cache_has_lost_stays(project: Path) -> None:
    everything = left(project)
    lock = YAML(typ="safe").load(project / "dvc.lock")["stages"]["train@gone"]["outs"]
    hashes = {out["path"]: out["md5"] for out in lock}
    cache = project / ".dvc/cache/files/md5"
    folder = cache / hashes["models/gone"][:2] / hashes["models/gone"][2:]
    member = json.loads(folder.read_text())[0]["md5"]
    for md5 in (member, hashes["metrics/gone.json"]):
        (cache / md5[:2] / md5[2:]).unlink()
    assert remove_stale_outputs({**PARAMS, "experiments": {"kept": 1}}) == []
    assert left(project) == everything


def test_without_a_lock_file_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models/mine").mkdir(parents=True)
    assert remove_stale_outputs(PARAMS) == []
    (tmp_path / "dvc.lock").write_text("")
    assert remove_stale_outputs(PARAMS) == []
    assert (tmp_path / "models/mine").is_dir()
