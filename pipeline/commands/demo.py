"""Run the whole pipeline on built-in characters and text, in build/demo.

    python -m pipeline demo                    # compare the error rates with reports/studies/demo/expected.csv
    python -m pipeline demo --update-expected  # train with several seeds, and write that file and its page

The folder is a copy of the pipeline with the small budget of profiles/demo.yaml. The project's own results stay as they
are.
"""

import argparse
from pathlib import Path

from pipeline.common.files import write_text
from pipeline.orchestration.workspace import make_workspace, repro
from pipeline.report.pages.comparison import write_table
from pipeline.runtime.processes import terminate_children_on_sigterm
from pipeline.settings.base import read_params
from pipeline.studies.demo_report import PAGE, TABLE, expected_page, expected_table, read_table, verdicts

PROFILE, SEEDS_PROFILE = Path("profiles/demo.yaml"), Path("profiles/demo_seeds.yaml")
WORKSPACE, SEEDS_WORKSPACE = Path("build/demo"), Path("build/demo_seeds")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument(
        "--update-expected", action="store_true", help=f"train with several seeds; write {TABLE} and {PAGE}"
    )


def main(update_expected: bool) -> None:
    """Run the demo, then compare its error rates with the expected ones, or write those."""
    terminate_children_on_sigterm()
    if update_expected:
        make_workspace(Path.cwd(), SEEDS_WORKSPACE, read_params(PROFILE), read_params(SEEDS_PROFILE))
        repro(SEEDS_WORKSPACE, "compare")
        write_table(expected_table(SEEDS_WORKSPACE), TABLE)
        write_text(PAGE, expected_page(read_table(TABLE, "make demo-report")))
        print(f"demo: wrote {TABLE} and {PAGE}")
        return
    make_workspace(Path.cwd(), WORKSPACE, read_params(PROFILE))
    repro(WORKSPACE)
    reports = WORKSPACE / "reports"
    print(f"\nComparison:  {reports / 'index.html'} (to look at), {reports / 'comparison.md'} (table)")
    print(f"Test lines:  {reports / 'readings.png'}, with what each model reads")
    print(f"Beam search: {reports / 'decoding.md'}, with a language model")
    print("Every run:   make ui, and open the address that it prints\n")
    run = read_table(reports / "comparison.csv", "make demo")
    print("\n".join(verdicts(run, read_table(TABLE, "make demo-report"))))
