"""Stages side by side, in a small DVC project of its own."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from ruamel.yaml import YAML

from pipeline.commands import repro as module
from pipeline.commands.repro import stages_to_run
from pipeline.common.errors import InputError
from tests.projects import profile_params

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon:DeprecationWarning")  # DVC's own

MEET = """import pathlib, sys, time
mine, other = sys.argv[1:]
pathlib.Path(mine).write_text("here")
end = time.monotonic() + 60
while not pathlib.Path(other).exists():
    assert time.monotonic() < end, "the other one did not come"
    time.sleep(0.01)
print(mine, "met", other)
"""
"""Ends only if the other one runs at the same time."""


def stage(command: str, deps: list[str], outs: list[str]) -> dict[str, object]:
    return {"cmd": f"{sys.executable} {command}", "deps": deps, "outs": outs}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two stages that must meet, one before and one after both, and one beside them."""
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], check=True)
    Path("meet.py").write_text(MEET)
    Path("source").write_text("1")
    stages = {
        "before": stage("-c \"open('a', 'w').write(open('source').read())\"", ["source"], ["a"]),
        "left": stage("meet.py l r", ["a"], ["l"]),
        "right": stage("meet.py r l", ["a"], ["r"]),
        "after": stage("-c \"open('both', 'w').write(open('l').read() + open('r').read())\"", ["l", "r"], ["both"]),
        "beside": stage("-c \"open('b', 'w').write('b')\"", [], ["b"]),
    }
    YAML().dump({"stages": stages}, tmp_path / "dvc.yaml")
    return tmp_path


def repro(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", "repro", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=300)


def test_stages_that_do_not_need_each_other_run_at_once_and_dvc_finds_all_done(project: Path) -> None:
    run = repro("--jobs", "2")
    assert run.returncode == 0, run.stderr
    assert (project / "both").read_text() == "herehere"
    assert "l met r" in run.stdout
    assert re.search(r"^parallel_repro: 5 stages done in \d+\.\d minutes$", run.stdout, re.MULTILINE)
    status = subprocess.run([sys.executable, "-m", "dvc", "status"], capture_output=True, encoding="utf-8", check=True)
    assert "up to date" in status.stdout
    assert stages_to_run() == {}


def test_only_what_changed_and_what_depends_on_it_is_to_run(project: Path) -> None:
    every = {"before": set(), "left": {"before"}, "right": {"before"}, "after": {"left", "right"}, "beside": set()}
    assert stages_to_run() == every
    assert stages_to_run(["left"]) == {"before": set(), "left": {"before"}}
    assert repro("--jobs", "3").returncode == 0
    (project / "b").unlink()
    assert stages_to_run() == {"beside": set()}
    (project / "meet.py").write_text("1 / 0")  # no stage names it
    (project / "source").write_text("2")
    assert set(stages_to_run(["after"])) == {"before", "left", "right", "after"}
    assert stages_to_run(["left"]) == {"before": set(), "left": {"before"}}


def test_after_a_failure_no_other_stage_begins_and_what_was_done_stays(project: Path) -> None:
    (project / "meet.py").write_text("import sys; sys.exit('error: source: is bad')")
    run = repro("--jobs", "2")
    assert run.returncode == 2
    assert "error: source: is bad" in run.stdout
    (last,) = run.stderr.splitlines()
    assert "failed, see above; `dvc repro " in last
    assert not (project / "both").exists()
    assert "before" not in stages_to_run()


def test_why_dvc_cannot_begin_a_stage_is_said(project: Path) -> None:
    stages = YAML().load(project / "dvc.yaml")
    stages["stages"]["beside"]["deps"] = ["never_made"]
    YAML().dump(stages, project / "dvc.yaml")
    run = repro("beside")
    assert run.returncode == 2
    assert "failed to reproduce 'beside'" in run.stdout
    assert "never_made" in run.stdout


def test_stages_begin_as_scheduled(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    def reproduce(stage: str, _threads: int) -> subprocess.CompletedProcess[str]:
        begun.append(stage)
        return subprocess.CompletedProcess([], 0, stdout="")

    monkeypatch.setattr(module, "reproduce", reproduce)
    monkeypatch.setattr(module, "schedule", lambda _order, _jobs: ["d", "c", "b", "a"])
    assert module.run({"a": set(), "b": set(), "c": {"a"}, "d": {"b"}}, jobs=1, threads=1) == []
    assert begun == ["b", "d", "a", "c"]


def test_a_stage_that_is_not_there_is_refused(project: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        stages_to_run(["nowhere"])
    run = repro("nowhere")
    assert (run.returncode, len(run.stderr.splitlines())) == (2, 1)


def test_less_than_one_job_is_refused(project: Path) -> None:
    run = repro("--jobs", "0")
    assert run.returncode == 2
    assert "--jobs: 0: at least 1" in run.stderr


@pytest.mark.parametrize(("devices", "processes"), [(1, 1), (2, 2), (3, 3), ("auto", 1), (-1, 1), ([0, 2], 2)], ids=str)
def test_a_training_has_a_process_for_each_device(
    devices: object, processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = profile_params("tiny")
    params["experiments"]["cnn_ctc_variable"].setdefault("training", {})["trainer"] = {"devices": devices}
    YAML().dump(params, tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    assert module.processes_of("train@cnn_ctc_variable") == processes
    assert module.processes_of("evaluate@cnn_ctc_variable") == 1
    assert module.processes_of("synthesize") == 1


@pytest.mark.parametrize(("threads", "processes", "each"), [(8, 2, "4"), (2, 2, "1"), (1, 2, "1"), (3, 1, "3")])
def test_processes_share_the_threads(threads: int, processes: int, each: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def run(command: list[str], env: dict[str, str], **_: object) -> subprocess.CompletedProcess[str]:
        seen.append(env["OMP_NUM_THREADS"])
        return subprocess.CompletedProcess(command, 0, stdout="")

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(module, "processes_of", lambda _: processes)
    monkeypatch.setattr(module.subprocess, "run", run)
    module.reproduce("train@x", threads)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    module.reproduce("train@x", threads)
    assert seen == [each, "7"]


def test_a_stage_ends_with_the_command_that_started_it(project: Path) -> None:
    started = "open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    YAML().dump({"stages": {"long": stage(f'-c "import os, time; {started}"', [], [])}}, project / "dvc.yaml")
    with subprocess.Popen([sys.executable, "-m", "pipeline", "repro"]) as process:
        end, pid = time.monotonic() + 120, project / "pid"
        while not (pid.exists() and pid.read_text()):
            assert time.monotonic() < end, "the stage did not begin"
            time.sleep(0.1)
        running = psutil.Process(int(pid.read_text()))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 128 + signal.SIGTERM
        running.wait(timeout=60)
