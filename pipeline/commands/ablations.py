"""What each setting of an experiment is worth: the experiment trained once more for each change, and compared.

    python -m pipeline ablations docs/ablations.yaml --jobs 2

It works in `build/ablations`, a copy of the pipeline with these experiments alone, and leaves the project's own results
as they are. A second call goes on where the first was ended, and trains only what changed in the file.
"""

import argparse
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from pipeline.common.errors import InputError
from pipeline.runtime.processes import terminate_children_on_sigterm
from pipeline.settings.base import read_params, validate
from pipeline.settings.experiment import Seeds
from pipeline.settings.project import Key
from pipeline.studies.ablations_report import write_ablations
from pipeline.studies.variants import Changes, VariantsPlan, train_variants, variant_params

WORKSPACE = Path("build/ablations")
BASE = "base"
"""The experiment's name where nothing is changed."""


class Plan(VariantsPlan):
    """A file of ablations; its `settings` are a smaller budget, which the unchanged experiment has too."""

    seeds: Annotated[Seeds, Field(min_length=2)]
    """Each is trained with; their spread says what is luck."""
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
    """`params` with the experiment and its changes alone.

    Raises:
        InputError: there is no such experiment, or a change makes it invalid.
    """
    return variant_params(params, plan.experiment, plan.variants({BASE: {}, **plan.changes}))


def run(plan: Plan, jobs: int | None, output: Path) -> None:
    """Train and evaluate all in the workspace; write ablations.csv, ablations.md and ablations.png."""
    train_variants(WORKSPACE, planned_params(read_params(), plan), jobs)
    output = output.absolute()
    with contextlib.chdir(WORKSPACE):
        write_ablations(plan.experiment, {BASE: {}, **plan.changes}, plan.settings, output)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `pipeline.command_line`."""
    parser.add_argument("plan", type=Path, help="YAML file: experiment, seeds, settings of all, changes by name")
    parser.add_argument("--jobs", type=int, help="trainings at once; by default one per core")
    parser.add_argument("--output", type=Path, default=Path("reports"), help="folder of the report")


def main(plan: Path, jobs: int | None, output: Path) -> None:
    """Train what the plan names, and write the report."""
    terminate_children_on_sigterm()
    run(read_plan(plan), jobs, output)
