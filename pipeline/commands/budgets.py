"""Train an experiment with several budgets of time, and compare.

    python -m pipeline budgets reports/studies/budgets/plan.yaml

The report is written beside the plan. The command works in `build/budgets`, a copy of the pipeline with these trainings
alone, and leaves the project's own results as they are. The trainings run one after the other, so that each has all
cores. After an interruption, the same command goes on. If the plan changes, it trains only what is new.
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
    """A plan of budgets."""

    decoding: Key
    """The beam search of `params.yaml` that decodes with each of the trained models."""
    budgets: Annotated[dict[Key, Changes], Field(min_length=1)]
    """The changed settings of each budget, such as the number of lines, by its name in the report."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument("plan", type=Path, help="YAML file: experiment, decoding, seeds, settings, budgets by name")
    parser.add_argument("--output", type=Path, help="folder of the report; by default the folder of the plan")


def main(plan: Path, output: Path | None) -> None:
    """Train, evaluate and decode with all budgets; write budgets.csv, .md and .png and budgets_by_seed.csv."""
    terminate_children_on_sigterm()
    content, folder = read_plan(plan), (output or plan.parent).absolute()
    train_variants(WORKSPACE, planned_params(read_params(), content), jobs=1)
    with contextlib.chdir(WORKSPACE):
        write_budgets(content.experiment, content.budgets, content.settings, folder)


def read_plan(path: Path) -> Plan:
    """Read a plan of budgets.

    Raises:
        InputError: no such file, or a key is missing, unknown or of the wrong kind.
    """
    return validate(Plan, read_params(path), file=path)


def planned_params(params: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """`params` with the plan's experiment at each budget, and its beam search, alone.

    Raises:
        InputError: there is no such experiment or decoding, or a change is not valid.
    """
    return variant_params(params, plan.experiment, plan.variants(plan.budgets), plan.decoding)
