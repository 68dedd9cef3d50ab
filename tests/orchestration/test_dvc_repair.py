import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from zc.lockfile import LockFile

from pipeline.orchestration.dvc_repair import (
    BROKEN,
    COPY,
    DVC_LOCK,
    LOCK_FILE,
    RWLOCK,
    expand_home,
    explain_failure,
    repair,
)
from tests.imports import ROOT

RUNS = b'{"read": {}, "write": {"/somewhere": {"pid": 1, "cmd": "dvc repro"}}}'
STAGES = b"schema: '2.0'\nstages:\n  one:\n    cmd: echo done > out\n    outs:\n    - path: out\n      md5: abc\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / RWLOCK).parent.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    return tmp_path


@pytest.mark.parametrize("broken", [b"", RUNS[:-1], b"\x00\xff"])
def test_a_half_written_rwlock_is_deleted_from_any_folder_of_the_project(root: Path, broken: bytes) -> None:
    (root / RWLOCK).write_bytes(broken)
    inside = root / "docs"
    inside.mkdir()
    assert repair(inside) == ""
    assert not (root / RWLOCK).exists()


def test_valid_files_stay(root: Path) -> None:
    (root / RWLOCK).write_bytes(RUNS)
    (root / LOCK_FILE).write_bytes(STAGES)
    assert repair(root) == ""
    assert [(root / path).read_bytes() for path in (RWLOCK, LOCK_FILE, COPY)] == [RUNS, STAGES, STAGES]


@pytest.mark.parametrize("broken", [b"", b"schema", STAGES[:29], STAGES[:23]])
def test_a_half_written_lock_file_is_replaced_by_the_last_valid_one(root: Path, broken: bytes) -> None:
    (root / LOCK_FILE).write_bytes(STAGES)
    repair(root)
    (root / LOCK_FILE).write_bytes(broken)
    message = repair(root)
    assert message.startswith("emnist-lines: ")
    assert "went back" in message
    assert [(root / path).read_bytes() for path in (LOCK_FILE, BROKEN)] == [STAGES, broken]


def test_a_truncated_lock_file_that_dvc_can_read_stays(root: Path) -> None:
    (root / LOCK_FILE).write_bytes(STAGES[:-10])  # an output without its hash: the stage runs again
    assert repair(root) == ""
    assert (root / LOCK_FILE).read_bytes() == STAGES[:-10]


def test_without_a_copy_a_half_written_lock_file_is_moved_away(root: Path) -> None:
    (root / LOCK_FILE).write_bytes(b"")
    message = repair(root)
    assert message.startswith("emnist-lines: ")
    assert "cache of runs" in message
    assert not (root / LOCK_FILE).exists()
    assert (root / BROKEN).read_bytes() == b""


def test_a_lock_file_with_merge_conflicts_stays(root: Path) -> None:
    conflict = b"<<<<<<< HEAD\n" + STAGES
    (root / LOCK_FILE).write_bytes(conflict)
    assert repair(root) == ""
    assert (root / LOCK_FILE).read_bytes() == conflict


@pytest.mark.parametrize(("path", "content"), [(RWLOCK, RUNS), (LOCK_FILE, STAGES)])
def test_a_file_that_is_just_being_written_stays(root: Path, path: Path, content: bytes) -> None:
    repair(root)  # imports what takes its time
    (root / path).write_bytes(b"")

    def write() -> None:
        time.sleep(0.05)
        (root / path).write_bytes(content)

    writer = threading.Thread(target=write)
    writer.start()
    assert repair(root) == ""
    writer.join()
    assert (root / path).read_bytes() == content


def test_outside_a_project_nothing_happens(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_bytes(b"")
    assert repair(tmp_path) == ""
    assert [path.name for path in tmp_path.iterdir()] == [LOCK_FILE.name]


def test_dvc_runs_where_its_own_command_refuses(tmp_path: Path) -> None:
    def dvc(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", module, *arguments]
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)

    assert dvc("dvc", "init", "--no-scm", "--quiet").returncode == 0
    (tmp_path / "dvc.yaml").write_text("stages: {one: {cmd: echo done > out, outs: [out]}}\n")
    assert dvc("pipeline.orchestration.dvc_repair", "repro").returncode == 0
    whole = (tmp_path / LOCK_FILE).read_bytes()
    for path, complaint in ((RWLOCK, "JSON structure is corrupted"), (LOCK_FILE, "validation failed")):
        (tmp_path / path).write_bytes(b"")
        refused = dvc("dvc", "repro")
        assert refused.returncode != 0
        assert complaint in refused.stderr  # once it is not, that part of the module can go
    mended = dvc("pipeline.orchestration.dvc_repair", "repro")
    assert mended.returncode == 0
    assert mended.stderr.startswith("emnist-lines: dvc.lock was half-written")
    assert (tmp_path / LOCK_FILE).read_bytes() == whole
    assert (
        dvc("pipeline.orchestration.dvc_repair", "no-such-command").returncode
        == dvc("dvc", "no-such-command").returncode
        != 0
    )


def test_nothing_is_repaired_while_another_dvc_holds_the_lock(root: Path) -> None:
    (root / LOCK_FILE).write_bytes(STAGES)
    repair(root)
    other = LockFile(str(root / DVC_LOCK))
    (root / LOCK_FILE).write_bytes(b"")  # it has just begun to write
    assert repair(root) == ""
    assert (root / LOCK_FILE).read_bytes() == b""
    other.close()
    assert "went back" in repair(root)


def test_a_project_that_cannot_be_written_is_left_to_dvc(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / RWLOCK).parent.write_text("a file where DVC wants a folder")
    (tmp_path / LOCK_FILE).write_bytes(STAGES[:23])
    assert repair(tmp_path) == ""
    assert (tmp_path / LOCK_FILE).read_bytes() == STAGES[:23]


def test_a_lock_file_that_was_valid_before_is_not_parsed_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / LOCK_FILE).write_bytes(STAGES)
    repair(root)
    monkeypatch.setattr("pipeline.orchestration.dvc_repair._validate_lock_file", lambda content: 1 / 0)
    assert repair(root) == ""


def test_a_setting_that_dvc_cannot_use_is_named(root: Path) -> None:
    assert explain_failure(root) == ""
    (root / "params.yaml").write_text("emnist: {archive: null}\ncorpus: {archive: data/none}\n")
    expected = "params.yaml: emnist.archive: must be a path, or data/none for no file"
    assert explain_failure(root) == explain_failure(root / ".dvc") == expected
    (root / "params.yaml").write_text("emnist: {archive: data/none}\ncorpus: {archive: data/none}\n")
    assert explain_failure(root) == ""
    (root / "params.yaml").write_text("emnist: {")
    assert "not valid YAML" in explain_failure(root)


def test_a_copy_without_git_is_told_what_to_do(root: Path) -> None:
    (root / ".git").rmdir()
    (root / ".dvc/config").write_text("[core]\n    analytics = false\n")
    assert explain_failure(root) == (
        f"{root}: no git repository; run `git init`, or without git: `dvc config --local core.no_scm true`"
    )
    (root / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")
    assert explain_failure(root) == ""


def test_a_project_that_cannot_be_written_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: path != root / ".dvc/tmp")  # root may write everywhere
    place = root / ".dvc/tmp"
    assert explain_failure(root) == f"{place}: DVC must write here; get the right to, or work in a copy of the project"


@pytest.mark.parametrize(
    ("argument", "expanded"),
    [
        ("emnist.archive=~/gzip.zip", f"emnist.archive={Path.home()}/gzip.zip"),
        ("++experiments.a_1.load=~/a b", f"++experiments.a_1.load={Path.home()}/a b"),
        ("~experiments.a", "~experiments.a"),
        ("a=x~/b", "a=x~/b"),
        ("~/a", "~/a"),
    ],
)
def test_a_home_folder_in_a_setting_is_expanded(argument: str, expanded: str) -> None:
    assert expand_home(argument) == expanded
