"""`python -m pipeline`: its list of commands, and the help of each."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from pipeline.__main__ import COMMANDS, main
from tests.imports import ROOT

MODULES = sorted(path.stem for path in (ROOT / "pipeline/commands").glob("[!_]*.py"))


def test_every_command_has_a_line_of_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert sorted(COMMANDS) == MODULES
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    for name, line in COMMANDS.items():
        assert [shown.split() for shown in lines if shown.split()[:1] == [name]] == [[name, *line.split()]]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_line_of_the_list_is_the_first_of_the_commands_own_help(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    documented = import_module(f"pipeline.commands.{name}").__doc__ or ""
    assert documented.splitlines()[0] == COMMANDS[name]
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: python -m pipeline {name} ")
    assert COMMANDS[name] in printed


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["perdict", "line.png"], "argument command: invalid choice: 'perdict' (choose from 'repro', 'demo', "),
        ([], "the following arguments are required: command"),
        (["predict"], "the following arguments are required: file"),
        (["demo", "--all"], "unrecognized arguments: --all"),
    ],
)
def test_faulty_arguments_are_refused(arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert problem in capsys.readouterr().err.splitlines()[-1]


def test_a_users_folder_that_cannot_be_written_makes_no_noise(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    hidden = {"MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    program = "from pipeline.command_line import run_module; run_module('own', 'own', [])"
    (tmp_path / "own.py").write_text("def main():\n    import matplotlib; print(matplotlib.get_cachedir())\n")
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "HOME": str(tmp_path / "home"), "PYTHONPATH": f"{ROOT}:{tmp_path}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == ""
    assert not result.stdout.startswith(str(tmp_path / "home"))


def test_the_list_needs_none_of_the_commands() -> None:
    probe = "import sys, pipeline.__main__; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout.split()
    assert "pipeline.command_line" in loaded
    assert not [name for name in loaded if name.startswith(("pipeline.commands", "torch", "pandas", "mlflow"))]
