"""Train an experiment once for each changed setting, and compare.

    python -m pipeline ablations reports/studies/ablations/plan.yaml --jobs 2

The report is written beside the plan. The command works in `build/ablations`, a copy of the pipeline with these
experiments alone, and leaves the project's own results as they are. After an interruption, the same command goes on. If
the plan changes, it trains only what is new.
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
"""The name of the unchanged experiment."""


class Plan(VariantsPlan):
    """A plan of ablations; its `settings` are a smaller budget, which the unchanged experiment has too."""

    seeds: Annotated[Seeds, Field(min_length=2)]
    """At least two, because their spread says what is chance."""
    changes: Annotated[dict[Key, Changes], Field(min_length=1)]
    """The changed settings of each variant, by its name in the report."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument("plan", type=Path, help="YAML file: experiment, seeds, settings of all, changes by name")
    parser.add_argument("--jobs", type=int, help="trainings at once; by default one per core")
    parser.add_argument("--output", type=Path, help="folder of the report; by default the folder of the plan")


def main(plan: Path, jobs: int | None, output: Path | None) -> None:
    """Train and evaluate all variants; write ablations.csv, ablations.md and ablations.png."""
    terminate_children_on_sigterm()
    content, folder = read_plan(plan), (output or plan.parent).absolute()
    train_variants(WORKSPACE, planned_params(read_params(), content), jobs)
    with contextlib.chdir(WORKSPACE):
        write_ablations(content.experiment, {BASE: {}, **content.changes}, content.settings, folder)


def read_plan(path: Path) -> Plan:
    """Read a plan of ablations.

    Raises:
        InputError: no such file, or a key is missing, unknown or of the wrong kind.
    """
    plan = validate(Plan, read_params(path), file=path)
    if BASE in plan.changes:
        raise InputError(
            f"{path}: changes.{BASE}: `{BASE}` is reserved for the unchanged experiment; rename this change"
        )
    return plan


def planned_params(params: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """`params` with the plan's experiment and its variants alone.

    Raises:
        InputError: there is no such experiment, or a change is not valid.
    """
    return variant_params(params, plan.experiment, plan.variants({BASE: {}, **plan.changes}))
