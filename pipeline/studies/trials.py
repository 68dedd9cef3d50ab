"""Trials of a search: DVC experiments that only train, and that may be ended early."""

import csv
import io
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import optuna
import psutil
from optuna.exceptions import StorageInternalError

from pipeline.common import paths
from pipeline.runtime.processes import terminate_children
from pipeline.tracking.store import Store

Value = bool | int | float | str | None
IsHopeless = Callable[[Sequence[float]], bool]
"""Judges a trial by the validation CER of its epochs so far."""
Measure = Callable[[str, Mapping[str, Value], IsHopeless], float]
"""Trains a trial by its name and values; returns its CER. A hopeless one raises `optuna.TrialPruned`."""
POLL = 10.0
"""Seconds between looks at a training."""


def judge(trial: optuna.Trial) -> IsHopeless:
    """A function that reports the epochs of a trial and asks the study's pruner."""
    reported = 0

    def is_hopeless(rates: Sequence[float]) -> bool:
        nonlocal reported
        with suppress(StorageInternalError):  # The database does not answer now.
            for epoch in range(reported, len(rates)):
                trial.report(rates[epoch], epoch)
                reported = epoch + 1
            return trial.should_prune()
        return False

    return is_hopeless


def measure_by_dvc(key: str, store: Store, parent: str) -> Measure:
    """A function that trains a trial as a DVC experiment and returns its lowest validation CER.

    With several seeds that is their mean. The MLflow runs of the trial become children of `parent`.
    """

    def measure(name: str, values: Mapping[str, Value], is_hopeless: IsHopeless) -> float:
        changes = [f"++experiments.{key}.{setting}={json.dumps(value)}" for setting, value in values.items()]
        options = [word for change in changes for word in ("-S", change)]
        start = int(time.time() * 1000)

        def goes_on() -> bool:
            return not is_hopeless(follow(store, name, parent, start))

        _dvc("exp", "run", "--temp", "--name", name, *options, f"train@{key}", goes_on=goes_on)
        follow(store, name, parent, start)
        return read_lowest_rate(key, name)

    return measure


def follow(store: Store, name: str, parent: str, start: int) -> list[float]:
    """The validation CER of each epoch of a trial's first seed so far; empty if MLflow has none or does not answer.

    Runs of the trial since `start`, in milliseconds, become children of `parent`.
    """
    of_trial = f"tags.`dvc.exp_name` = '{name}' and attributes.start_time >= {start}"
    with suppress(Exception):  # Of any kind: pruning and links are not worth a training.
        runs = store.client.search_runs([store.experiment_id], of_trial, order_by=["attributes.start_time ASC"])
        for run in runs:
            if "mlflow.parentRunId" not in run.data.tags:
                store.client.set_tag(run.info.run_id, "mlflow.parentRunId", parent)
        if runs:
            points = store.client.get_metric_history(runs[0].info.run_id, "val_cer")
            return [float(point.value) for point in sorted(points, key=lambda point: point.step)]
    return []


def read_lowest_rate(key: str, name: str) -> float:
    """The lowest validation CER in the history of a DVC experiment, the mean over its seeds."""
    from dvc.api import read

    by_seed = defaultdict(list)
    for row in csv.DictReader(io.StringIO(read(paths.history(key).as_posix(), rev=name))):
        by_seed[row["seed"]].append(float(row["val_cer"]))
    return sum(map(min, by_seed.values())) / len(by_seed)


def _dvc(*arguments: str, goes_on: Callable[[], bool]) -> None:
    """Run DVC while `goes_on`; then end the training, and let DVC clean up after it."""
    command = [sys.executable, "-m", "dvc", *arguments]
    with subprocess.Popen(command) as process:
        while True:
            try:
                if status := process.wait(POLL):
                    raise subprocess.CalledProcessError(status, command)
                return
            except subprocess.TimeoutExpired:
                if goes_on():
                    continue
            terminate_children(psutil.Process(process.pid))
            process.wait()
            raise optuna.TrialPruned("its CER is above the median of the others")


def ensure_parent_run(store: Store, name: str) -> str:
    """Find or create the search's own MLflow run; return its id. Of several searches, all take the oldest."""

    def find() -> list[str]:
        order = ["attributes.start_time ASC", "attributes.run_id ASC"]
        found = store.client.search_runs([store.experiment_id], f"tags.search = '{name}'", order_by=order)
        return [str(run.info.run_id) for run in found]

    if ids := find():
        return ids[0]
    run = store.client.create_run(store.experiment_id, run_name=name, tags={"search": name})
    store.client.set_terminated(run.info.run_id)
    if (oldest := find()[0]) != run.info.run_id:
        store.client.delete_run(run.info.run_id)
    return oldest
