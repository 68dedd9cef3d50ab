"""Start a run: its name, its parameters, and where it comes from."""

import os
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress

from pipeline.tracking.live_runs import LiveRun, end_dead_runs
from pipeline.tracking.run import Run
from pipeline.tracking.store import Store, open_store
from pipeline.tracking.store_errors import StoreUnreachableError, is_unreachable, raise_input_error, store_error

COMMIT = "EMNIST_LINES_COMMIT"
"""The environment variable with the git commit, for machines of a cluster: their workspaces are no repositories."""
_ENVIRONMENT = {
    "dvc.exp_name": "DVC_EXP_NAME",
    "dvc.baseline": "DVC_EXP_BASELINE_REV",
    "dvc.stage": "DVC_STAGE",
    "mlflow.source.name": "DVC_STAGE",
}


def start_run(
    experiment_key: str,
    settings: Mapping[str, object],
    tags: Mapping[str, str],
    note: str = "",
    resume: str | None = None,
    variant: str = "",
) -> Run:
    """Start a best-effort run for a training; use it in a `with` block.

    `resume` is the id of an interrupted run to continue; if that is gone, a new run is made. `variant` tells the run
    from others of the same experiment, in its name. If the store does not answer, that is one warning on stderr, and
    the run has no id before it does.

    Raises:
        InputError: the store cannot be used. Later errors cost only the run.
    """

    def begin() -> Run:
        store = open_store()
        with suppress(Exception):
            end_dead_runs(store.client)
        if resume and _resume(store, resume, origin):
            return Run(store, resume, best_effort=True, live=LiveRun(resume))
        return create_run(store, experiment_key, settings, origin, note, variant, best_effort=True)

    origin, start = {**tags, **origin_tags(), "source": "train"}, time.monotonic()
    try:
        return begin()
    except StoreUnreachableError as error:
        return Run.begun_later(begin, error, start)


def create_run(
    store: Store,
    experiment_key: str,
    settings: Mapping[str, object],
    tags: Mapping[str, str],
    note: str = "",
    variant: str = "",
    best_effort: bool = False,
) -> Run:
    """Create a run, named after the experiment, the variant and DVC's experiment; `InputError` if that fails."""
    details = ", ".join(filter(None, [variant, os.environ.get("DVC_EXP_NAME")]))
    name = f"{experiment_key} ({details})" if details else experiment_key
    note_tag = {"mlflow.note.content": note} if note else {}
    with raise_input_error(store.address):
        created = store.client.create_run(
            store.experiment_id, run_name=name, tags={**tags, **note_tag, "experiment_key": experiment_key}
        )
        run = Run(store, created.info.run_id, best_effort=best_effort, live=LiveRun(created.info.run_id))
        run.log_settings(settings)
        if {"lines", "data_md5"} <= tags.keys():
            run.log_dataset(tags["lines"], tags["data_md5"])
    return run


def origin_tags() -> dict[str, str]:
    """Collect the tags for DVC's experiment and the git commit; those that are unknown are left out."""
    tags = {tag: os.environ.get(name, "") for tag, name in _ENVIRONMENT.items()}
    tags["git.commit"] = tags["mlflow.source.git.commit"] = git_commit()
    return {tag: value for tag, value in tags.items() if value}


def git_commit() -> str:
    """The commit of the code, or an empty string if it is unknown."""
    if commit := os.environ.get(COMMIT):
        return commit
    command = ["git", "rev-parse", "--verify", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:  # There is no git here.
        return ""


def _resume(store: Store, run_id: str, tags: Mapping[str, str]) -> bool:
    """Set an interrupted run to RUNNING, with the tags of its new start; False if it is gone."""
    from mlflow.exceptions import MlflowException

    try:
        if store.client.get_run(run_id).info.lifecycle_stage != "active":
            return False
        store.client.update_run(run_id, status="RUNNING")
        Run(store, run_id).set_tags(tags)
    except MlflowException as error:
        if is_unreachable(error):
            raise store_error(store.address, error) from error
        return False
    return True
