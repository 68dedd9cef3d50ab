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
from pipeline.settings.base import PARAMS_FILE, read_params
from pipeline.settings.messages import unknown_key

COPIED = ("pipeline", "stages", "dvc.yaml", ".dvcignore")
PLOT_TEMPLATES = Path(".dvc/plots")
OWN_BLOCKS = ("lines", "experiments", "decoding")
"""Sections of `params.yaml` that hold blocks by name."""


def make_workspace(project: Path, workspace: Path, *profiles: Mapping[str, Any]) -> None:
    """Copy the code to `workspace`, and `params.yaml` with the values of `profiles`, of which later ones win.

    Raises:
        InputError: `params.yaml` cannot be read, or a profile has a key that it does not have.
    """
    read_params(project / PARAMS_FILE)  # says what is wrong with the file
    params = YAML().load(project / PARAMS_FILE)
    apply_profiles(params, *profiles)
    fill_workspace(project, workspace, params)


def apply_profiles(params: dict[str, Any], *profiles: Mapping[str, Any]) -> None:
    """Replace values of `params` in place; remove the decodings of experiments that are removed.

    Raises:
        InputError: a profile has a key that `params` does not have.
    """
    for section in OWN_BLOCKS:
        if section in params and params[section] is None:  # all blocks were deleted by hand
            params[section] = {}
    for profile in profiles:
        override(params, profile)
    decodings = params.get("decoding")
    if isinstance(decodings, dict):
        for name, decoding in list(decodings.items()):
            if isinstance(decoding, Mapping) and decoding.get("experiment") not in params.get("experiments", {}):
                del decodings[name]
    for section in OWN_BLOCKS:
        if section in params and not params[section]:
            params[section] = {}  # without the comment that the YAML parser keeps, and writes in a wrong place


def fill_workspace(project: Path, workspace: Path, params: Mapping[str, Any]) -> None:
    """Copy the code to `workspace`, and write `params` as its `params.yaml`."""
    workspace.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        copy(project / name, workspace / name)
    YAML().dump(params, workspace / PARAMS_FILE)
    if not (workspace / ".dvc").is_dir():
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

    A key `*` stands for every key at its level. Null removes a data set of lines, a decoding or an experiment, but not
    the last experiment. In these sections a block or a key that `params` do not have is left out, as users add, rename
    and remove blocks.

    Raises:
        InputError: `profile` has another key that `params` do not have.
    """
    section, _, inside = path.partition(".")
    for key, value in profile.items():
        here = f"{path}{key}"
        if key != "*" and key not in params and section not in OWN_BLOCKS:
            raise InputError(f"profile: {unknown_key(here, key, list(params))}")
        for name in list(params) if key == "*" else {key} & params.keys():
            if value is None and section in OWN_BLOCKS and not inside:
                if section != "experiments" or len(params) > 1:
                    del params[name]
            elif isinstance(value, Mapping) and isinstance(params[name], dict):
                override(params[name], value, f"{here}.")
            elif not isinstance(value, Mapping) or section not in OWN_BLOCKS:
                params[name] = value


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder of code; replace the target if it exists."""
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)
