"""Run `dvc repro` with independent stages side by side.

    python -m pipeline repro --jobs 2
    python -m pipeline repro --dry             # only tell which stages would run
    python -m pipeline repro --cluster auto    # on the machines of a Ray cluster (docs/cluster.md)

DVC runs one stage at a time. Here each stage starts as soon as the stages that it depends on are done, and the cores
are divided among the stages: two trainings with one core each end sooner than one after the other with two cores.
At the end, `dvc repro` runs what is left, if anything.
"""

import argparse
import subprocess
import sys
import time

from tqdm import tqdm

from pipeline.common.errors import InputError
from pipeline.orchestration.parallel import run
from pipeline.orchestration.plan import make_plan
from pipeline.orchestration.stage import DVC, StageResult, StageTask, run_stage
from pipeline.runtime.processes import count_cores, terminate_children_on_sigterm


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument("targets", nargs="*", help="stages, as `dvc repro` takes them; all by default")
    parser.add_argument("--jobs", type=int, help="stages at once; by default one per core, or all that a cluster takes")
    parser.add_argument("--dry", action="store_true", help="only tell which stages would run, and why")
    parser.add_argument("--cluster", metavar="ADDRESS", help="run on a Ray cluster, such as `auto` or `10.0.0.1:6379`")
    parser.add_argument("--queue", action="store_true", help="run the experiments of `dvc queue` on the cluster")


def main(targets: list[str], jobs: int | None, dry: bool, cluster: str | None = None, queue: bool = False) -> None:
    """Run all stages, then `dvc repro`; or only tell what would run."""
    if jobs is not None and jobs < 1:
        raise InputError(f"--jobs: {jobs}: must be at least 1")
    if queue and (not cluster or targets or dry):
        raise InputError("--queue: needs --cluster ADDRESS, and runs all stages; leave out targets and --dry")
    terminate_children_on_sigterm()
    if cluster and queue:
        from pipeline.orchestration.cluster.dvc_queue import run_queue  # only with the extra

        run_queue(cluster, jobs)
        return
    plan = make_plan(targets)
    if dry:
        print(plan.describe())
        return
    stages, start = plan.graph, time.monotonic()
    here = 1 if cluster else jobs or count_cores()
    threads = max(1, count_cores() // here)

    def work(stage: str) -> StageResult:
        return run_stage(StageTask(stage, threads), tell)

    if stages and cluster:
        from pipeline.orchestration.cluster.driver import run_on_cluster

        print(f"repro: {len(stages)} stages on the cluster {cluster}")
        failed = run_on_cluster(plan, cluster, jobs, work)
    else:
        if stages:
            print(f"repro: {len(stages)} stages, up to {here} at once with {threads} threads each")
        failed = run(stages, here, work)
    if failed:
        raise InputError(f"{', '.join(failed)}: failed, see above; `dvc repro {failed[0]}` runs it again")
    if stages:
        print(f"repro: {len(stages)} stages done in {(time.monotonic() - start) / 60:.1f} minutes")
    sys.exit(subprocess.run([*DVC, "repro", "--quiet", *targets], check=False).returncode)


def tell(line: str) -> None:
    """Print a line above the progress bar."""
    tqdm.write(line, end="")
    sys.stdout.flush()
