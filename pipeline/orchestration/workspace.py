"""A copy of the pipeline with other settings, in its own folder.

The project's own `params.yaml`, results and MLflow store stay as they are. Results of an earlier run in the same folder
are kept, so that DVC runs only what changed.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.common.errors import InputError
from pipeline.common.files import write_text
from pipeline.settings.base import PARAMS_FILE
from pipeline.settings.messages import unknown_key

COPIED = ("pipeline", "stages", "dvc.yaml", ".dvcignore")
PLOT_TEMPLATES = Path(".dvc/plots")


def make_workspace(project: Path, workspace: Path, *profiles: Mapping[str, Any]) -> None:
    """Copy the code to `workspace`, and `params.yaml` with the values of `profiles`, of which later ones win.

    Raises:
        InputError: a profile has a key that `params.yaml` does not have.
    """
    params = YAML().load(project / PARAMS_FILE)
    for profile in profiles:
        override(params, profile)
    fill_workspace(project, workspace, params)


def fill_workspace(project: Path, workspace: Path, params: Mapping[str, Any]) -> None:
    """Copy the code to `workspace`, and write `params` as its `params.yaml`."""
    workspace.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        copy(project / name, workspace / name)
    YAML().dump(params, workspace / PARAMS_FILE)
    if not (workspace / ".dvc").is_dir():
        subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], cwd=workspace, check=True)
        config = (project / ".dvc" / "config").read_text(encoding="utf-8")
        without_git = "    no_scm = true\n"
        if without_git not in config:  # the project may be a workspace itself
            config += without_git
        write_text(workspace / ".dvc" / "config", config)
    copy(project / PLOT_TEMPLATES, workspace / PLOT_TEMPLATES)


def repro(workspace: Path, *arguments: str) -> None:
    """Run `python -m pipeline repro` with these arguments in `workspace`.

    Raises:
        InputError: a stage failed.
    """
    command = [sys.executable, "-m", "pipeline", "repro", *arguments]
    if subprocess.run(command, cwd=workspace, check=False).returncode:
        raise InputError(f"{workspace}: a stage failed, see above; the same command goes on from there")


def override(params: dict[str, Any], profile: Mapping[str, Any], path: str = "") -> None:
    """Replace values of `params` in place.

    A key `*` stands for every key at its level. Null removes an experiment, a data set of lines or a decoding.

    Raises:
        InputError: `profile` has a key that `params` does not have.
    """
    for key, value in profile.items():
        here = f"{path}{key}"
        if key != "*" and key not in params:
            raise InputError(f"profile: {unknown_key(here, key, list(params))}")
        for name in list(params) if key == "*" else [key]:
            if value is None and path in ("experiments.", "lines.", "decoding."):
                del params[name]
            elif isinstance(value, Mapping) and isinstance(params[name], dict):
                override(params[name], value, f"{here}.")
            else:
                params[name] = value


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder of code; replace the target if it exists."""
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)
