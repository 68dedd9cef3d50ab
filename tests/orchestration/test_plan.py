"""Which stages would run, in a small DVC project of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.common.errors import InputError
from pipeline.orchestration.parallel import run
from pipeline.orchestration.plan import make_plan
from pipeline.orchestration.stage import StageTask, run_stage
from tests.orchestration.dvc_projects import init_dvc, stage, write_dvc_project

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon:DeprecationWarning")  # DVC's own
EVERY = {"before": set(), "left": {"before"}, "right": {"before"}, "after": {"left", "right"}, "beside": set()}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_dvc_project(tmp_path)
    return tmp_path


def test_only_changed_stages_and_those_that_depend_on_them_are_to_run(project: Path) -> None:
    assert make_plan().graph == EVERY
    assert make_plan(["left"]).graph == {"before": set(), "left": {"before"}}
    assert run(EVERY, 3, lambda stage: run_stage(StageTask(stage, threads=1))) == []
    assert make_plan().graph == {}
    assert make_plan().describe() == "everything is up to date"
    (project / "b").unlink()
    plan = make_plan()
    assert (plan.graph, plan.changed) == ({"beside": set()}, {"beside": "its outputs are missing"})
    (project / "source").write_text("2")
    plan = make_plan(["after"])
    assert plan.changed == {"before": "source"}
    assert sorted(plan.following) == ["after", "left", "right"]
    assert plan.following[-1] == "after"
    assert make_plan(["left"]).graph == {"before": set(), "left": {"before"}}
    assert plan.describe().splitlines()[:3] == [
        "1 would run:",
        "  before: source",
        "3 come after others, and run unless their inputs turn out unchanged:",
    ]


@pytest.mark.usefixtures("project")
def test_an_unknown_stage_is_refused() -> None:
    with pytest.raises(InputError, match="nowhere"):
        make_plan(["nowhere"])


COPY = '-c "import pathlib, sys; pathlib.Path(sys.argv[2]).write_text(pathlib.Path(sys.argv[1]).read_text())" '
LIST = "-c \"import os; open('all', 'w').write(' '.join(os.listdir('parts')))\""


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stages that have run: `check`, one on it and on a file for each of two parts, and one on the folder of both."""
    monkeypatch.chdir(tmp_path)
    init_dvc(tmp_path)
    (tmp_path / "params.yaml").write_text("mine: 1")
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    (tmp_path / "parts").mkdir()
    stages = {"check": stage("-c \"open('ok', 'w')\"", ["params.yaml"], ["ok"])}
    for name in ("one", "two"):
        stages[name] = stage(f"{COPY} {name} parts/{name}", ["ok", name], [f"parts/{name}"])
    stages["all"] = stage(LIST, ["parts"], ["all"])
    YAML().dump({"stages": stages}, tmp_path / "dvc.yaml")
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet"], check=True)
    return tmp_path


def test_what_the_constant_stage_precedes_does_not_run_because_of_it(chain: Path) -> None:
    (chain / "params.yaml").write_text("other: 1")
    assert make_plan().graph == {"check": set()}


def test_outputs_that_dvc_has_are_restored(chain: Path) -> None:
    shutil.rmtree(chain / "parts")
    (chain / "all").unlink()
    plan = make_plan()
    assert (plan.changed, plan.following) == ({}, [])
    assert (sorted(plan.restored[:2]), plan.restored[2:]) == (["one", "two"], ["all"])
    shutil.rmtree(chain / ".dvc/cache")
    plan = make_plan()
    assert (set(plan.changed), plan.restored, plan.following) == ({"check", "one", "two", "all"}, [], [])


def test_a_folder_that_gets_a_file_back_may_be_as_it_was(chain: Path) -> None:
    (chain / "parts/one").unlink()
    plan = make_plan()
    assert (plan.changed, plan.restored, plan.following) == ({}, ["one"], ["all"])


def test_a_run_with_these_inputs_is_restored_and_what_comes_after_may_change(chain: Path) -> None:
    (chain / "one").write_text("1")
    plan = make_plan()
    assert (plan.changed, plan.restored, plan.following) == ({"one": "one"}, [], ["all"])
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet"], check=True)
    (chain / "one").write_text("one")
    plan = make_plan()
    assert (plan.changed, plan.restored, plan.following) == ({}, ["one"], ["all"])


def test_a_file_that_nothing_makes_is_named(chain: Path) -> None:
    (chain / "two").unlink()
    assert make_plan().changed == {"two": "two is missing"}
