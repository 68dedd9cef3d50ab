"""Run the experiments that wait in DVC's queue on a cluster, and save each as DVC does.

Each experiment has a copy of the project in a temporary folder, whose stages run with `repro --cluster`.
"""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from dvc.repo import Repo

from pipeline.common.errors import InputError
from pipeline.orchestration.cluster.driver import LOGS
from pipeline.orchestration.cluster.project import Project
from pipeline.orchestration.stage import DVC

AT_ONCE = 8
"""Experiments at once, if the user does not say."""
QUEUED_ARGUMENTS = ".dvc/tmp/repro.dat"
"""Where DVC keeps the arguments of a queued experiment, in its commit."""


@dataclass(frozen=True)
class Queued:
    """An experiment that waits."""

    name: str
    changes: str
    """The commit that holds the changed files."""
    baseline: str
    """The commit that it is compared with."""


def run_queue(address: str, jobs: int | None) -> None:
    """Run all experiments that wait; those that fail stay in the queue.

    Raises:
        InputError: an experiment failed, or the project has no DVC remote.
    """
    with Repo() as repo:
        config = Project(repo).remote_config(git=True) + f"[cache]\n    dir = {repo.cache.local_cache_dir}\n"
        waiting = [
            Queued(entry.name, entry.stash_rev, entry.baseline_rev)
            for entry in repo.experiments.celery_queue.iter_queued()
        ]
    print(f"repro: {len(waiting)} experiments of the queue on the cluster {address}", flush=True)
    failed = []
    with ThreadPoolExecutor(jobs or AT_ONCE) as workers:
        for future in as_completed([workers.submit(_run, queued, address, config) for queued in waiting]):
            queued, reference = future.result()
            if reference:
                _read(*DVC, "queue", "remove", "--quiet", queued.name)
                print(f"{queued.name}: done", flush=True)
            else:
                failed.append(queued.name)
                print(f"{queued.name}: failed, see {_log(queued.name)}", flush=True)
    if failed:
        raise InputError(f"{', '.join(failed)}: failed, see above; they are still in the queue")


def _run(queued: Queued, address: str, config: str) -> tuple[Queued, str]:
    """Run one experiment; return it with its reference in git, which is empty if it failed."""
    root = Path.cwd()
    names = {"DVC_ROOT": str(root), "DVC_EXP_NAME": queued.name, "DVC_EXP_BASELINE_REV": queued.baseline}
    LOGS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{queued.name}-") as copy, _log(queued.name).open("w") as log:

        def call(*command: str, **environment: str) -> None:
            subprocess.run(command, cwd=copy, env=os.environ | environment, stdout=log, stderr=log, check=True)

        try:
            call("git", "clone", "--quiet", "--shared", "--no-checkout", str(root), ".")
            call("git", "checkout", "--quiet", "--detach", queued.baseline)
            call("git", "checkout", "--quiet", queued.changes, "--", ".")
            call("git", "rm", "--quiet", "--force", "--ignore-unmatch", QUEUED_ARGUMENTS)
            _configure(Path(copy), config)
            call(*DVC, "checkout", "--quiet", "--allow-missing")
            call(sys.executable, "-m", "pipeline", "repro", "--cluster", address, **names)
            call(*DVC, "exp", "save", "--force", "--name", queued.name)
        except subprocess.CalledProcessError:
            return queued, ""
        references = _read("git", "-C", copy, "for-each-ref", "--format=%(refname)", "refs/exps").split()
        reference = next(name for name in references if name.endswith(f"/{queued.name}"))
        _read("git", "fetch", "--quiet", copy, f"+{reference}:{reference}")
    return queued, reference


def _log(name: str) -> Path:
    return LOGS / f"{name}.log"


def _configure(folder: Path, config: str) -> None:
    path = folder / ".dvc" / "config.local"
    path.touch(mode=0o600)  # it may hold passwords
    path.write_text(config, encoding="utf-8")


def _read(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout
