"""What each setting of an experiment is worth: the experiment trained once more for each change, and compared.

    python -m pipeline.ablations docs/ablations.yaml --jobs 2

It works in `build/ablations`, a copy of the pipeline with these experiments alone, and leaves the project's own results
as they are. A second call goes on where the first was ended, and trains only what changed in the file.
"""

import argparse
import contextlib
import copy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from pipeline.ablation_report import write_ablations
from pipeline.errors import InputError, exit_on_input_error
from pipeline.settings.base import Settings, read_params, validate
from pipeline.settings.experiment import Seeds
from pipeline.settings.project import Key, check_project
from pipeline.workspace import fill_workspace

WORKSPACE = Path("build/ablations")
BASE = "base"
"""The experiment's name where nothing is changed."""
Changes = Mapping[str, Any]
"""New values by key of the experiment, such as `training.batch_size`; one that is a block takes the block's place."""


class Plan(Settings):
    """A file of ablations."""

    experiment: Key
    """Which of `params.yaml`."""
    seeds: Annotated[Seeds, Field(min_length=2)]
    """Each is trained with; their spread says what is luck."""
    settings: Changes = Field(default_factory=dict)
    """What all of them have otherwise, the unchanged one too: a smaller budget."""
    changes: Annotated[dict[Key, Changes], Field(min_length=1)]
    """What each of them has otherwise besides, by its name in the report."""


def read_plan(path: Path) -> Plan:
    """Read a file of ablations.

    Raises:
        InputError: no such file, or a key is missing, unknown or of the wrong kind.
    """
    plan = validate(Plan, read_params(path), file=path)
    if BASE in plan.changes:
        raise InputError(f"{path}: changes.{BASE}: is the name of what nothing is changed of; call it otherwise")
    return plan


def planned_params(params: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """`params` with the experiment and its changes alone, on its data set of lines, and no beam searches.

    Raises:
        InputError: there is no such experiment, or a change makes it invalid.
    """
    if plan.experiment not in params["experiments"]:
        raise InputError(
            f"experiment: {plan.experiment}: not in params.yaml; one of {', '.join(params['experiments'])}"
        )
    base = changed(params["experiments"][plan.experiment], {**plan.settings, "training.seeds": plan.seeds})
    lines = {base["lines"]: params["lines"][base["lines"]]}
    experiments = {BASE: base, **{name: changed(base, changes) for name, changes in plan.changes.items()}}
    planned = {**params, "lines": lines, "experiments": experiments, "decoding": {}}
    check_project(planned)
    return planned


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


def run(plan: Plan, jobs: int | None, output: Path) -> None:
    """Train and evaluate all in the workspace; write ablations.csv, ablations.md and ablations.png."""
    project, params = Path.cwd(), read_params()
    check_project(params)
    fill_workspace(project, WORKSPACE, planned_params(locate_archives(params, project), plan))
    share_cache(project, WORKSPACE)
    options = [] if jobs is None else ["--jobs", str(jobs)]
    targets = [f"evaluate@{name}" for name in (BASE, *plan.changes)]
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.parallel_repro", *options, *targets], cwd=WORKSPACE, check=False
    )
    if done.returncode:
        raise InputError(f"{WORKSPACE}: not all are trained, see above; the same command goes on")
    output = output.absolute()
    with contextlib.chdir(WORKSPACE):
        write_ablations(plan.experiment, {BASE: {}, **plan.changes}, plan.settings, output)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", type=Path, help="YAML file: experiment, seeds, settings of all, changes by name")
    parser.add_argument("--jobs", type=int, help="trainings at once; by default one per core")
    parser.add_argument("--output", type=Path, default=Path("reports"), help="folder of the report")
    arguments = parser.parse_args()
    run(read_plan(arguments.plan), arguments.jobs, arguments.output)


if __name__ == "__main__":
    exit_on_input_error(main)
