"""Run `dvc repro` with independent stages side by side.

    python -m pipeline repro --jobs 2
    python -m pipeline repro --dry      # only tell which stages would run

DVC runs one stage at a time. Here each stage starts as soon as the stages that it depends on are done, and the cores
are divided among the stages: two trainings with one core each end sooner than one after the other with two cores.
At the end, `dvc repro` runs what is left, if anything.
"""

import argparse
import subprocess
import sys
import time

from pipeline.common.errors import InputError
from pipeline.orchestration.parallel import DVC, run
from pipeline.orchestration.plan import make_plan
from pipeline.runtime.processes import count_cores, terminate_children_on_sigterm


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument("targets", nargs="*", help="stages, as `dvc repro` takes them; all by default")
    parser.add_argument("--jobs", type=int, default=count_cores(), help="stages at once; by default one per core")
    parser.add_argument("--dry", action="store_true", help="only tell which stages would run, and why")


def main(targets: list[str], jobs: int, dry: bool) -> None:
    """Run all stages, then `dvc repro`; or only tell what would run."""
    if jobs < 1:
        raise InputError(f"--jobs: {jobs}: must be at least 1")
    terminate_children_on_sigterm()
    plan = make_plan(targets)
    if dry:
        print(plan.describe())
        return
    stages = plan.graph
    threads, start = max(1, count_cores() // jobs), time.monotonic()
    if stages:
        print(f"repro: {len(stages)} stages, up to {jobs} at once with {threads} threads each")
    if failed := run(stages, jobs, threads):
        raise InputError(f"{', '.join(failed)}: failed, see above; `dvc repro {failed[0]}` runs it again")
    if stages:
        print(f"repro: {len(stages)} stages done in {(time.monotonic() - start) / 60:.1f} minutes")
    sys.exit(subprocess.run([*DVC, "--quiet", *targets], check=False).returncode)
