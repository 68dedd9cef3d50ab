"""The real command, in a small DVC project of its own."""

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
from pipeline.commands.repro import main
from pipeline.common.errors import InputError
from pipeline.orchestration.plan import make_plan
from tests.orchestration.dvc_projects import stage, write_dvc_project

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon:DeprecationWarning")  # DVC's own


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_dvc_project(tmp_path)
    monkeypatch.setattr(module, "terminate_children_on_sigterm", lambda: None)  # this process is the tests' own
    return tmp_path


def repro(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", "repro", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=300)


def test_independent_stages_run_at_once_and_dvc_finds_all_up_to_date(project: Path) -> None:
    run = repro("--jobs", "2")
    assert run.returncode == 0, run.stderr
    assert (project / "both").read_text() == "herehere"
    assert "l met r" in run.stdout
    assert re.search(r"^repro: 5 stages done in \d+\.\d minutes$", run.stdout, re.MULTILINE)
    status = subprocess.run([sys.executable, "-m", "dvc", "status"], capture_output=True, encoding="utf-8", check=True)
    assert "up to date" in status.stdout
    assert make_plan().graph == {}


def test_a_dry_run_tells_what_would_run_and_runs_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = sorted(project.iterdir())
    main([], 1, dry=True)
    assert capsys.readouterr().out.splitlines()[0] == "5 would run:"
    assert sorted(project.iterdir()) == files


def test_a_setting_that_dvc_cannot_use_is_refused_in_one_line(project: Path) -> None:
    stages = YAML().load(project / "dvc.yaml")
    stages["stages"]["beside"]["deps"] = ["${emnist.archive}"]
    YAML().dump(stages, project / "dvc.yaml")
    (project / "params.yaml").write_text("emnist: {archive: null}\ncorpus: {archive: data/none}\n")
    with pytest.raises(InputError, match=r"^params\.yaml: emnist\.archive: must be a path, or data/none for no file$"):
        main([], 1, dry=True)


def test_after_a_failure_no_other_stage_starts_and_finished_ones_are_kept(project: Path) -> None:
    (project / "meet.py").write_text("import sys; sys.exit('error: source: is bad')")
    run = repro("--jobs", "2")
    assert run.returncode == 2
    assert "error: source: is bad" in run.stdout
    (last,) = run.stderr.splitlines()
    assert "failed, see above; `dvc repro " in last
    assert not (project / "both").exists()
    assert "before" not in make_plan()


def test_less_than_one_job_is_refused() -> None:
    with pytest.raises(InputError, match=r"^--jobs: 0: must be at least 1$"):
        main([], 0, dry=False)


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
