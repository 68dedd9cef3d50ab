"""Train variants of one experiment in their own workspace, which shares DVC's cache with the project."""

import copy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from pipeline.common.errors import InputError
from pipeline.orchestration.workspace import fill_workspace, repro
from pipeline.settings.base import NO_FILE, Settings
from pipeline.settings.experiment import Seeds
from pipeline.settings.messages import unknown_key
from pipeline.settings.project import Key, check_project

Changes = Mapping[str, Any]
"""New values by key of the experiment, such as `training.batch_size`. A block as a value replaces the whole block."""


class VariantsPlan(Settings):
    """The plan file of a study: what all its variants share."""

    experiment: Key
    """A key of the section `experiments` of params.yaml."""
    seeds: Seeds
    """Each variant is trained with each of them."""
    settings: Changes = Field(default_factory=dict)
    """Changes of all variants."""

    def variants(self, changes: Mapping[str, Changes]) -> dict[str, Changes]:
        """All changes of each variant: `settings`, the seeds, and its own changes."""
        shared = {**self.settings, "training.seeds": self.seeds}
        return {name: {**shared, **own} for name, own in changes.items()}


def variant_params(
    params: Mapping[str, Any], experiment: str, variants: Mapping[str, Changes], decoding: str | None = None
) -> dict[str, Any]:
    """Replace the experiments of `params` by variants of one of them; keep only its data set of lines.

    With a `decoding`, a key of that section, each variant also gets a beam search of the same name.

    Raises:
        InputError: `params` are not valid, there is no such experiment or decoding, or a change is not valid.
    """
    check_project(params)
    params = locate_files(params, Path.cwd())
    original = _find(params["experiments"], "experiment", experiment)
    search = None if decoding is None else _find(params["decoding"], "decoding", decoding)
    experiments = {name: apply_changes(original, changes) for name, changes in variants.items()}
    planned = {
        **params,
        "lines": {original["lines"]: params["lines"][original["lines"]]},
        "experiments": experiments,
        "decoding": {} if search is None else {name: {**search, "experiment": name} for name in variants},
    }
    check_project(planned)
    return planned


def apply_changes(experiment: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    """Copy an experiment's block and change its values."""
    result: dict[str, Any] = copy.deepcopy(dict(experiment))
    for path, value in changes.items():
        *blocks, key = path.split(".")
        block = result
        for name in blocks:
            if not isinstance(block.get(name), dict):  # absent or null; validation refuses anything else
                block[name] = {}
            block = block[name]
        block[key] = value
    return result


def train_variants(workspace: Path, planned: Mapping[str, Any], jobs: int | None) -> None:
    """Train, evaluate and decode all experiments of `planned` in the workspace, unless they are up to date.

    Raises:
        InputError: a stage failed.
    """
    project = Path.cwd()
    fill_workspace(project, workspace, planned)
    share_cache(project, workspace)
    stages = {"evaluate": planned["experiments"], "decode": planned["decoding"]}
    targets = [f"{stage}@{name}" for stage, names in stages.items() for name in names]
    repro(workspace, *([] if jobs is None else ["--jobs", str(jobs)]), *targets)


def locate_files(params: Mapping[str, Any], project: Path) -> dict[str, Any]:
    """Make the paths of archives and of checkpoints to load, which start at the project's root, absolute."""

    def locate(block: Mapping[str, Any], key: str) -> dict[str, Any]:
        return {**block, key: block[key] if block[key] == NO_FILE else str(project / block[key])}

    return {
        **params,
        **{section: locate(params[section], "archive") for section in ("emnist", "corpus")},
        "experiments": {name: locate(block, "load") for name, block in params["experiments"].items()},
    }


def share_cache(project: Path, workspace: Path) -> None:
    """Let the workspace use the project's DVC cache: nothing is downloaded twice."""
    subprocess.run(
        [sys.executable, "-m", "dvc", "config", "--local", "cache.dir", str(project.absolute() / ".dvc" / "cache")],
        cwd=workspace,
        check=True,
    )


def _find(section: Mapping[str, Any], setting: str, key: str) -> Mapping[str, Any]:
    if key not in section:
        raise InputError(unknown_key(f"{setting}: {key}", key, list(section)))
    block: Mapping[str, Any] = section[key]
    return block
