import signal
import sys
from pathlib import Path

import pytest

from reliability.workspaces import Workspace, end_session, find_difference, hash_output, list_session, wait_for_session

BEFORE = {"data/a.h5": "1", "models/b.ckpt": "2", "metrics/b.json": "3"}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (BEFORE, ""),
        ({**BEFORE, "metrics/b.json": "4", "models/b.ckpt": "5"}, "models/b.ckpt differs"),
        ({"metrics/b.json": "3", "models/b.ckpt": "2"}, "data/a.h5 is missing"),
        ({**BEFORE, "data/.a.h5.x.partial/a.h5": "1"}, "data/.a.h5.x.partial/a.h5 is left over"),
    ],
)
def test_the_first_difference_is_named_in_the_pipelines_order(found: dict[str, str], said: str) -> None:
    assert find_difference(BEFORE, found) == said


def test_times_are_not_compared(tmp_path: Path) -> None:
    path = tmp_path / "comparison.csv"
    hashes = []
    for cer, speed in ((0.1, 10), (0.1, 11), (0.2, 11)):
        path.write_text(f"lines_per_second,test_cer,training_seconds\n{speed},{cer},{2 * speed}\n")
        hashes.append(hash_output(path))
    assert hashes[0] == hashes[1] != hashes[2]


def test_unfinished_copies_of_dvc_are_no_outputs_and_those_of_the_pipeline_are(empty: Workspace) -> None:
    for name in ("a.h5", ".gex7YkpyW23zQq1oFRLjUg.tmp", ".a.h5.x.partial", "a.tmp"):
        path = empty.root / "data" / "lines" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1")
    assert set(empty.outputs()) == {"data/lines/a.h5", "data/lines/.a.h5.x.partial", "data/lines/a.tmp"}


@pytest.fixture
def empty(tmp_path: Path) -> Workspace:
    (tmp_path / "workspace").mkdir()
    return Workspace(tmp_path / "workspace")


def test_processes_left_by_a_command_are_ended(empty: Workspace) -> None:
    leaves = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)'])"
    process = empty.start(sys.executable, "-c", leaves)
    assert process.wait(30) == 0
    assert len(list_session(process.pid)) == 1
    assert not wait_for_session(process.pid, 0.1)
    end_session(process.pid)
    assert wait_for_session(process.pid, 10)


def test_a_hanging_command_is_ended(empty: Workspace) -> None:
    status, printed = empty.run(sys.executable, "-c", "import time; time.sleep(99)", seconds=0.3)
    assert (status, printed) == (-1, "hung for 0.3 s")


def test_commands_see_ctrl_c_and_no_settings_of_the_caller(empty: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", "elsewhere")
    asks = "import os, signal; print(os.environ.get('DVC_ROOT'), os.environ['OMP_NUM_THREADS'], signal.getsignal(2))"
    status, printed = empty.run(sys.executable, "-c", asks)
    assert status == 0
    assert printed.split()[:2] == ["None", "1"]
    assert signal.default_int_handler.__name__ in printed
