import subprocess
import sys

import pytest

from pipeline.errors import InputError, exit_on_input_error

PROGRAM = """
from pipeline.errors import InputError, exit_on_input_error

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


def test_the_exit_hides_its_cause(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise InputError("wrong")

    with pytest.raises(SystemExit) as error:
        exit_on_input_error(main)
    assert error.value.code == 2
    assert error.value.__suppress_context__
    assert capsys.readouterr().err == "error: wrong\n"


def test_a_good_end_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[int] = []
    exit_on_input_error(lambda: calls.append(1))
    assert calls == [1]
    assert capsys.readouterr() == ("", "")
