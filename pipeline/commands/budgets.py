"""What an experiment is worth for the time it takes: trained once more for each budget, read greedily and by a beam.

    python -m pipeline budgets docs/budgets.yaml

It works in `build/budgets`, a copy of the pipeline with these trainings alone, and leaves the project's own results as
they are. They run one after the other, each by itself, so that its minutes are its own. A second call goes on where the
first was ended, and trains only what changed in the file.
"""

import argparse
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from pipeline.runtime.processes import terminate_children_on_sigterm
from pipeline.settings.base import read_params, validate
from pipeline.settings.project import Key
from pipeline.studies.budgets_report import write_budgets
from pipeline.studies.variants import Changes, VariantsPlan, train_variants, variant_params

WORKSPACE = Path("build/budgets")


class Plan(VariantsPlan):
    """A file of budgets."""

    decoding: Key
    """The beam search of `params.yaml` that reads by each of its trainings."""
    budgets: Annotated[dict[Key, Changes], Field(min_length=1)]
    """What each has otherwise besides, by its name in the report: how many lines it sees."""


def read_plan(path: Path) -> Plan:
    """Read a file of budgets.

    Raises:
        InputError: no such file, or a key is missing, unknown or of the wrong kind.
    """
    return validate(Plan, read_params(path), file=path)


def planned_params(params: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """`params` with the experiment at each budget and its beam search alone.

    Raises:
        InputError: there is no such experiment or decoding, or a change makes it invalid.
    """
    return variant_params(params, plan.experiment, plan.variants(plan.budgets), plan.decoding)


def run(plan: Plan, output: Path) -> None:
    """Train, evaluate and decode all in the workspace; write the report."""
    train_variants(WORKSPACE, planned_params(read_params(), plan), jobs=1)
    output = output.absolute()
    with contextlib.chdir(WORKSPACE):
        write_budgets(plan.experiment, plan.budgets, plan.settings, output)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `pipeline.command_line`."""
    parser.add_argument("plan", type=Path, help="YAML file: experiment, decoding, seeds, settings, budgets by name")
    parser.add_argument("--output", type=Path, default=Path("reports"), help="folder of the report")


def main(plan: Path, output: Path) -> None:
    """Train what the plan names, and write the report."""
    terminate_children_on_sigterm()
    run(read_plan(plan), output)
