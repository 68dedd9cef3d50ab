"""Stages side by side, in a small DVC project of its own."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.orchestration import stage as module
from pipeline.orchestration.parallel import last_seconds, run
from pipeline.orchestration.stage import StageResult, StageTask, count_processes, run_stage
from pipeline.runtime.timings import write_timing
from tests.orchestration.dvc_projects import write_dvc_project
from tests.projects import profile_params

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon:DeprecationWarning")  # DVC's own


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_dvc_project(tmp_path)
    return tmp_path


def test_the_output_says_why_dvc_cannot_start_a_stage(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stages = YAML().load(project / "dvc.yaml")
    stages["stages"]["beside"]["deps"] = ["never_made"]
    YAML().dump(stages, project / "dvc.yaml")
    assert run({"beside": set()}, 1, lambda stage: run_stage(StageTask(stage, threads=1))) == ["beside"]
    printed = capsys.readouterr().out
    assert "failed to reproduce 'beside'" in printed
    assert "never_made" in printed


def recorded(started: list[str], failing: str = "") -> Callable[[str], StageResult]:
    """What does nothing but name the stages in the order in which they start."""

    def work(stage: str) -> StageResult:
        started.append(stage)
        return StageResult(stage, int(stage == failing))

    return work


GRAPH = {
    "train@short": set(),
    "train@long": set(),
    "train@new": {"check"},
    "evaluate@long": {"train@long"},
    "check": set(),
}


def test_of_the_stages_that_can_start_the_longest_one_starts_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_timing("short", "train", {1: 10.0, 2: 20.0}, "fp32")
    write_timing("long", "train", {1: 31.0}, "fp32")
    stages = ("train@short", "train@long", "train@new", "evaluate@long")
    assert [last_seconds(stage) for stage in stages] == [30.0, 31.0, float("inf"), 0.0]
    started: list[str] = []
    assert run(GRAPH, 1, recorded(started)) == []
    # A new training may take longest of all, but has to wait for `check`, which is short.
    assert started[:2] == ["train@long", "train@short"]
    assert set(started[2:]) == {"check", "evaluate@long", "train@new"}
    assert started.index("train@new") == started.index("check") + 1


def test_a_new_training_starts_before_those_whose_time_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_timing("known", "train", {1: 1e6}, "fp32")
    started: list[str] = []
    assert run({"train@known": set(), "check": set(), "train@new": set()}, 1, recorded(started)) == []
    assert started == ["train@new", "train@known", "check"]


def test_after_a_failure_nothing_else_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    started: list[str] = []
    assert run({"a": set(), "b": {"a"}, "c": {"b"}, "d": {"c"}}, 2, recorded(started, failing="b")) == ["b"]
    assert started == ["a", "b"]


@pytest.mark.parametrize(("devices", "processes"), [(1, 1), (2, 2), (3, 3), ("auto", 1), (-1, 1), ([0, 2], 2)], ids=str)
def test_a_training_has_a_process_for_each_device(
    devices: object, processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = profile_params("tiny")
    params["experiments"]["cnn_ctc_variable"].setdefault("training", {})["trainer"] = {"devices": devices}
    YAML().dump(params, tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    assert count_processes("train@cnn_ctc_variable") == processes
    assert count_processes("evaluate@cnn_ctc_variable") == 1
    assert count_processes("synthesize") == 1


@pytest.mark.parametrize(("threads", "processes", "each"), [(8, 2, "4"), (2, 2, "1"), (1, 2, "1"), (3, 1, "3")])
def test_processes_share_the_threads(threads: int, processes: int, each: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(module, "count_processes", lambda _: processes)
    monkeypatch.setattr(module, "DVC", (sys.executable, "-c", "import os; print(os.environ['OMP_NUM_THREADS'])"))
    assert run_stage(StageTask("train@x", threads)).output == f"{each}\n"
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert run_stage(StageTask("train@x", threads)).output == "7\n"


def test_what_a_stage_prints_is_told_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = tmp_path / "goes_on"
    waits = f"import pathlib, time; p = pathlib.Path({str(goes_on)!r}); print('epoch 1', flush=True)"
    waits += "\nwhile not p.exists(): time.sleep(0.01)\nprint('epoch 2')"
    monkeypatch.setattr(module, "DVC", (sys.executable, "-c", waits))
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        goes_on.touch()  # the stage ends only after its first line was told

    assert run_stage(StageTask("check", 1), tell) == StageResult("check", 0)
    assert told == ["epoch 1\n", "epoch 2\n"]
