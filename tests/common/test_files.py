import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.common.files import PARTIAL, atomic_path, file_md5, file_sha256, project_root, write_text


class Stop(BaseException):
    """As abrupt as an interrupt."""


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_target_appears_complete_and_alone(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "lines.tar.gz"
    with atomic_path(target) as partial:
        assert partial.suffixes == [".tar", ".gz"]
        partial.write_bytes(b"all of it")
        assert not target.exists()
    assert [path.name for path in target.parent.iterdir()] == ["lines.tar.gz"]
    assert target.read_bytes() == b"all of it"


def write_half(target: Path, error: type[BaseException]) -> None:
    with atomic_path(target) as partial:
        partial.write_bytes(b"half of it")
        (partial.parent / "beside.tmp").write_bytes(b"what a writer leaves")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Stop])
@pytest.mark.parametrize("before", [None, b"the old content"])
def test_after_an_interruption_the_target_is_absent_or_as_before(
    tmp_path: Path, error: type[BaseException], before: bytes | None
) -> None:
    target = tmp_path / "lines.h5"
    if before is not None:
        target.write_bytes(before)
    with pytest.raises(error):
        write_half(target, error)
    assert contents(tmp_path) == ({} if before is None else {"lines.h5": before})
    assert [path for path in tmp_path.iterdir() if path != target] == []


def test_a_finished_target_replaces_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "model.pt"
    target.write_bytes(b"a longer old content")
    with target.open("rb") as reader:
        with atomic_path(target) as partial:
            partial.write_bytes(b"new")
            assert target.read_bytes() == b"a longer old content"
        assert reader.read() == b"a longer old content"  # whoever reads has one whole file
    assert contents(tmp_path) == {"model.pt": b"new"}


def test_a_block_that_writes_nothing_is_an_error_and_keeps_the_old_target(tmp_path: Path) -> None:
    target = tmp_path / "model.pt"
    target.write_bytes(b"old")
    with pytest.raises(FileNotFoundError), atomic_path(target):
        pass
    assert contents(tmp_path) == {"model.pt": b"old"}
    assert list(tmp_path.iterdir()) == [target]


def test_two_writers_of_one_target_do_not_share_a_file(tmp_path: Path) -> None:
    target = tmp_path / "model.pt"
    with atomic_path(target) as first, atomic_path(target) as second:
        assert first != second
        first.write_bytes(b"first")
        second.write_bytes(b"second")
    assert contents(tmp_path) == {"model.pt": b"first"}  # the outer block ends last


def test_text_is_utf8_with_plain_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "report.md", "é\nß\n")
    assert contents(tmp_path) == {"report.md": b"\xc3\xa9\n\xc3\x9f\n"}


def test_hashes_of_abc_are_as_published(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert file_sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_md5(path) == "900150983cd24fb0d6963f7d28e17f72"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's root, with the current folder three levels below it."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    root = tmp_path / "project"
    (root / ".dvc").mkdir(parents=True)
    below = root / "data" / "lines" / "deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    return root


def test_the_root_is_the_nearest_folder_above_with_dvc(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace.parent / ".dvc").mkdir()
    assert project_root() == workspace.resolve()
    monkeypatch.chdir(workspace)
    assert project_root() == workspace.resolve()


def test_dvc_root_comes_first(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(workspace.parent / "main"))
    assert project_root() == workspace.parent / "main"
    monkeypatch.setenv("DVC_ROOT", "")
    assert project_root() == workspace.resolve()


def test_a_file_called_dvc_is_no_root(workspace: Path) -> None:
    (Path.cwd() / ".dvc").write_text("")
    assert project_root() == workspace.resolve()


def test_without_dvc_the_root_is_here(workspace: Path) -> None:
    (workspace / ".dvc").rmdir()
    assert project_root() == Path.cwd().resolve()


ABANDONED = """
import os, signal, sys
import subprocess
import sys
from pathlib import Path
from pipeline.common.files import atomic_path
with atomic_path(Path(sys.argv[1])) as partial:
    partial.write_text("half")
    print("ready", flush=True)
    if sys.argv[2] == "wait":
        sys.stdin.read()
        partial.write_text("whole")
    else:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def writer(target: Path, then: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", ABANDONED, str(target), then]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    return process


def test_folders_of_killed_processes_are_removed_and_those_of_running_ones_are_not(tmp_path: Path) -> None:
    target = tmp_path / "lines.h5"
    alive, dead = writer(target, "wait"), writer(target, "die")
    dead.communicate()
    assert len(list(tmp_path.glob(f"*{PARTIAL}"))) == 2
    write_text(target, "mine")
    assert len(list(tmp_path.glob(f"*{PARTIAL}"))) == 1
    alive.communicate()
    assert alive.returncode == 0
    assert contents(tmp_path) == {"lines.h5": b"whole"}
    assert list(tmp_path.iterdir()) == [target]
