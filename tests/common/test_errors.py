import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.common.errors import InputError, describe_denial, describe_shortage, exit_on_input_error

PROGRAM = """
from pipeline.common.errors import InputError, exit_on_input_error

def main():
    raise InputError("params.yaml: lines: missing")

exit_on_input_error(main)
"""


def test_an_input_error_is_one_line_and_status_2() -> None:
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr == "error: params.yaml: lines: missing\n"
    assert result.stdout == ""


def test_other_errors_keep_their_traceback() -> None:
    program = PROGRAM.replace("raise InputError", "raise ValueError")
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("Traceback")


def test_the_exit_hides_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise InputError("wrong")

    with pytest.raises(SystemExit) as error:
        exit_on_input_error(main)
    assert error.value.code == 2
    assert error.value.__suppress_context__
    assert capsys.readouterr().err == "error: wrong\n"


def test_success_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[int] = []
    exit_on_input_error(lambda: calls.append(1))
    assert calls == [1]
    assert capsys.readouterr() == ("", "")


def refused(body: str) -> str:
    """The one line in which a command with this body ends."""
    program = f"{PROGRAM.split('def main')[0]}import errno\ndef main():\n    {body}\nexit_on_input_error(main)\n"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    (line,) = result.stderr.splitlines()
    assert result.returncode == 2
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


@pytest.mark.parametrize(
    "body",
    [
        "raise MemoryError",
        "import numpy; numpy.empty(2**45)",
        "import torch; torch.empty(2**50)",
        "import torch; raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2 GiB.')",
    ],
)
def test_too_little_memory_is_one_line_that_says_what_to_do(body: str) -> None:
    line = refused(body)
    assert line.startswith("out of memory (")
    assert "lower training.batch_size" in line


LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9999, 9999)); "


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize(
    "body",
    [
        "raise OSError(errno.ENOSPC, 'No space left on device', 'models/a.ckpt')",
        "raise OSError(errno.EDQUOT, 'Disk quota exceeded')",
        LIMIT + "open('a', 'wb').write(bytes(10**6))",
        LIMIT + "from pipeline.data.storage.hdf5 import write_hdf5; from pathlib import Path\n"
        "    with write_hdf5(Path('a.h5')) as file: file.create_dataset('a', (10**6,), 'u1', chunks=(1000,))[:] = 1",
        LIMIT + "import torch; torch.save(torch.zeros(10**6), 'a.ckpt')",
    ],
)
def test_too_little_disk_is_one_line_that_says_what_to_do(
    body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(tmp_path)
    line = refused(body)
    assert "cannot be written (" in line
    assert line.endswith("; free space on the disk and run it again")


def test_a_full_temporary_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = {tmp_path: 10, Path.cwd(): 20}
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free[Path(folder)]))
    error = OSError(errno.ENOSPC, "No space left on device")
    advice = "cannot be written (no space is left); free space on the disk and run it again"
    assert describe_shortage(error) == f"{tmp_path} (for temporary files; TMPDIR names another one): {advice}"
    free[tmp_path] = 20
    assert describe_shortage(error) == f"{Path.cwd()}: {advice}"


def test_no_temporary_folder_at_all_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere/a", "/nowhere/b"])
    with pytest.raises(FileNotFoundError) as error:
        tempfile.gettempdir()
    line = describe_shortage(error.value)
    assert line is not None
    assert "/nowhere/a" in line
    assert line.endswith("free space in one of them, or set TMPDIR to another one")
    assert describe_shortage(OSError(errno.ENOSPC, "No space left on device"))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_file_that_may_not_be_written_is_named(number: int) -> None:
    error = OSError(number, os.strerror(number), "data/lines")
    advice = "get the right to write here, or work in a copy of the project"
    assert describe_denial(error) == f"data/lines: {os.strerror(number)}; {advice}"
    assert describe_denial(OSError(errno.ENOENT, "No such file or directory", "data/lines")) is None
    program = PROGRAM.replace('InputError("params.yaml: lines: missing")', f"OSError({number}, 'no', 'data/lines')")
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (2, f"error: data/lines: no; {advice}\n")


def test_ctrl_c_is_one_line_and_status_130() -> None:
    program = PROGRAM.replace('raise InputError("params.yaml: lines: missing")', "raise KeyboardInterrupt")
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (130, "interrupted\n")
