"""Run the whole pipeline on built-in characters and text, in build/demo.

    python -m pipeline demo          # compare its error rates with reports/studies/demo/expected.csv
    python -m pipeline demo --keep   # train with several seeds, and write that file and its page anew

The folder is a copy of the pipeline with the small budget of profiles/demo.yaml. The project's own results stay as they
are.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from pipeline.common.errors import InputError
from pipeline.common.files import write_text
from pipeline.orchestration.workspace import make_workspace
from pipeline.report.pages.comparison import write_table
from pipeline.runtime.processes import terminate_children_on_sigterm
from pipeline.settings.base import read_params
from pipeline.studies.demo_report import PAGE, TABLE, demo_page, demo_table, read_table, verdicts

PROFILE, SEEDS = Path("profiles/demo.yaml"), Path("profiles/demo_seeds.yaml")
WORKSPACE, WORKSPACE_OF_SEEDS = Path("build/demo"), Path("build/demo_seeds")
RUNS = "http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning"
"""Past MLflow's front page, which is about language models."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `pipeline.command_line`."""
    parser.add_argument("--keep", action="store_true", help=f"train with several seeds; write {TABLE} and {PAGE}")


def main(keep: bool) -> None:
    """Run the demo, then compare or keep its error rates."""
    terminate_children_on_sigterm()
    if keep:
        run_in(WORKSPACE_OF_SEEDS, [PROFILE, SEEDS], ["compare"])
        write_expected(WORKSPACE_OF_SEEDS)
        return
    run_in(WORKSPACE, [PROFILE], [])
    reports = WORKSPACE / "reports"
    print(f"\nComparison:  {reports / 'index.html'} (to look at), {reports / 'comparison.md'} (table)")
    print(f"Every run:   make ui, then open {RUNS}\n")
    compare(WORKSPACE)


def run_in(workspace: Path, profiles: list[Path], targets: list[str]) -> None:
    """Run the pipeline in `workspace` with the settings of `profiles`, each laid over those before it.

    Raises:
        InputError: a stage failed.
    """
    make_workspace(Path.cwd(), workspace, *map(read_params, profiles))
    command = [sys.executable, "-m", "pipeline", "repro", *targets]
    if subprocess.run(command, cwd=workspace, check=False).returncode:
        raise InputError(f"{workspace}: a stage failed, see above; the same command goes on from there")


def compare(workspace: Path) -> None:
    """Print which error rates are as expected."""
    run = read_table(workspace / "reports/comparison.csv", "make demo")
    print("\n".join(verdicts(run, read_table(TABLE, "make demo-report"))))


def write_expected(workspace: Path) -> None:
    """Write the expected error rates as a table and a page."""
    write_table(demo_table(workspace), TABLE)
    write_text(PAGE, demo_page(read_table(TABLE, "make demo-report")))
    print(f"demo: wrote {TABLE} and {PAGE}")
