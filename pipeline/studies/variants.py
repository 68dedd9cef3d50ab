"""One experiment with other settings, several times over, in a workspace of its own that shares the project's cache."""

import copy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from pipeline.common.errors import InputError
from pipeline.orchestration.workspace import fill_workspace
from pipeline.settings.base import Settings
from pipeline.settings.experiment import Seeds
from pipeline.settings.messages import unknown_key
from pipeline.settings.project import Key, check_project

Changes = Mapping[str, Any]
"""New values by key of the experiment, such as `training.batch_size`; one that is a block takes the block's place."""


class VariantsPlan(Settings):
    """What a file of variants says of all of them."""

    experiment: Key
    """Which of `params.yaml`."""
    seeds: Seeds
    """Each variant is trained with each."""
    settings: Changes = Field(default_factory=dict)
    """What all of them have otherwise than the experiment."""

    def variants(self, changes: Mapping[str, Changes]) -> dict[str, Changes]:
        """All that each variant has otherwise, by its name, where `changes` is what it has besides `settings`."""
        shared = {**self.settings, "training.seeds": self.seeds}
        return {name: {**shared, **own} for name, own in changes.items()}


def variant_params(
    params: Mapping[str, Any], experiment: str, variants: Mapping[str, Changes], decoding: str | None = None
) -> dict[str, Any]:
    """`params` with nothing but variants of an experiment, by name, and its data set of lines.

    With a `decoding`, a key of that section, each variant is also read by a beam search of its own name.

    Raises:
        InputError: `params` are faulty, there is no such experiment or decoding, or a change makes it invalid.
    """
    check_project(params)
    original = _named(params["experiments"], "experiment", experiment)
    search = None if decoding is None else _named(params["decoding"], "decoding", decoding)
    experiments = {name: changed(original, changes) for name, changes in variants.items()}
    planned = {
        **params,
        "lines": {original["lines"]: params["lines"][original["lines"]]},
        "experiments": experiments,
        "decoding": {} if search is None else {name: {**search, "experiment": name} for name in variants},
    }
    check_project(planned)
    return planned


def changed(experiment: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    """A copy of an experiment's block with other values."""
    result: dict[str, Any] = copy.deepcopy(dict(experiment))
    for path, value in changes.items():
        *blocks, key = path.split(".")
        block = result
        for name in blocks:
            if not isinstance(block.get(name), dict):  # absent or null; anything else is refused when all is validated
                block[name] = {}
            block = block[name]
        block[key] = value
    return result


def train_variants(workspace: Path, planned: Mapping[str, Any], jobs: int | None) -> None:
    """Bring what `planned` names up to date in the workspace, which goes on where it was ended.

    Raises:
        InputError: a training failed.
    """
    project = Path.cwd()
    fill_workspace(project, workspace, locate_archives(planned, project))
    share_cache(project, workspace)
    stages = {"evaluate": planned["experiments"], "decode": planned["decoding"]}
    targets = [f"{stage}@{name}" for stage, names in stages.items() for name in names]
    options = [] if jobs is None else ["--jobs", str(jobs)]
    command = [sys.executable, "-m", "pipeline", "repro", *options, *targets]
    if subprocess.run(command, cwd=workspace, check=False).returncode:
        raise InputError(f"{workspace}: not all are trained, see above; the same command goes on")


def locate_archives(params: Mapping[str, Any], project: Path) -> dict[str, Any]:
    """`params` with the paths of archives, which start at the project's root, for use in another folder."""
    located = dict(params)
    for section in ("emnist", "corpus"):
        archive = params[section]["archive"]
        if archive and "://" not in archive:
            located[section] = {**params[section], "archive": str(project / archive)}
    return located


def share_cache(project: Path, workspace: Path) -> None:
    """Let DVC find in the workspace what it has made in the project: nothing is downloaded twice."""
    subprocess.run(
        [sys.executable, "-m", "dvc", "config", "--local", "cache.dir", str(project.absolute() / ".dvc" / "cache")],
        cwd=workspace,
        check=True,
    )


def _named(section: Mapping[str, Any], setting: str, key: str) -> Mapping[str, Any]:
    if key not in section:
        raise InputError(unknown_key(f"{setting}: {key}", key, list(section)))
    block: Mapping[str, Any] = section[key]
    return block
