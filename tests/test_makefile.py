"""When `make setup` makes the virtual environment, seen in what it would run."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.imports import ROOT

MAKES = "-m venv"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in a folder of an awkward name, without an environment."""
    folder = tmp_path / "it is 100%"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    return folder


def dry_run(folder: Path) -> str:
    command = ["make", "--dry-run", "setup"]
    # Where `make test` runs this, an inner make would say which folder it enters.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, env=alone).stdout


def install(folder: Path) -> None:
    """Leave what an installation leaves: run the last line of what `make setup` would run."""
    (folder / ".venv").mkdir(exist_ok=True)
    subprocess.run(["sh", "-c", dry_run(folder).splitlines()[-1]], cwd=folder, check=True)


def test_an_environment_is_made_once(project: Path) -> None:
    commands = dry_run(project)
    assert MAKES in commands
    assert "--clear" not in commands
    install(project)
    assert MAKES not in dry_run(project)


def test_the_environment_of_a_moved_project_is_made_again_from_nothing(project: Path) -> None:
    install(project)
    moved = project.with_name("moved")
    project.rename(moved)
    assert f"{MAKES} --clear" in dry_run(moved)
    install(moved)
    assert MAKES not in dry_run(moved)


def test_new_versions_are_installed_into_the_environment_that_there_is(project: Path) -> None:
    install(project)
    os.utime(project / ".venv/installed", (1, 1))  # long before pyproject.toml changed
    commands = dry_run(project)
    assert MAKES in commands
    assert "--clear" not in commands
