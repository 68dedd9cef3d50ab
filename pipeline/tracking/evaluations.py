"""Log the results of evaluated models, in the run that trained the model or in a rebuilt one."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipeline.common.errors import InputError
from pipeline.common.files import file_md5
from pipeline.common.geometry import CELL
from pipeline.tracking.live_runs import end_dead_runs
from pipeline.tracking.model import has_model_files, last_model
from pipeline.tracking.run import Run, warn_not_kept
from pipeline.tracking.start import create_run
from pipeline.tracking.store import Store, open_store
from pipeline.tracking.store_errors import store_error
from pipeline.tracking.values import finite

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun

Outcome = Literal["made", "filled", "same"]


@dataclass(frozen=True)
class Evaluation:
    """The results of one training, as DVC keeps them: enough to rebuild its run."""

    experiment_key: str
    settings: Mapping[str, object]
    tags: Mapping[str, str]
    checkpoint: Path
    history: Path
    """A CSV file with the column `epoch` and one column for each metric."""
    metrics: Mapping[str, float | None]
    """Metrics on test lines, without the prefix `test_`; empty if the model is not evaluated yet."""
    pictures: Sequence[Path] = ()
    note: str = ""
    variant: str = ""
    """A part of the run's name that tells it from other runs of the experiment."""
    seed: int | None = None
    """Selects the rows of the history; None if it has no column `seed`."""
    height: int = CELL
    """Height of the lines in pixels."""
    training_metrics: Mapping[str, float] = field(default_factory=dict)
    """Metrics of the training as a whole."""


def log_evaluation(*seeds: Evaluation) -> None:
    """Add the evaluation of each seed to the newest run of the same model, or to a new run if there is none.

    An error of the store is one warning on stderr, since DVC has the results anyway.
    """
    try:
        store = open_store()
        for evaluation in seeds:
            _log(store, evaluation)
    except Exception as error:  # Of any kind: the results are written already.
        warn_not_kept(error)


def sync(evaluations: Iterable[Evaluation]) -> Counter[Outcome]:
    """Log every evaluation that the store lacks, and print how many runs were made, filled or the same.

    It also brings back the files of models that are gone, and ends runs whose process died. A second call changes
    nothing.

    Raises:
        InputError: the store or a file cannot be used.
    """
    store = open_store()
    from mlflow.exceptions import MlflowException  # not before the store silences MLflow
    from requests import RequestException  # of a server that takes files

    try:
        if dead := end_dead_runs(store.client):
            print(f"ended {dead} whose process died")
        counts: Counter[Outcome] = Counter(_log(store, evaluation, restore=True) for evaluation in evaluations)
    except (MlflowException, RequestException) as error:
        raise store_error(store.address, error) from error
    print(f"made {counts['made']} filled {counts['filled']} same {counts['same']}")
    return counts


def find_newest_run(store: Store, experiment_key: str | None, model_md5: str) -> "MlflowRun | None":
    """Find the newest run of an experiment (None: of any), trained or rebuilt, whose model has this MD5."""
    of_experiment = f" and tags.experiment_key = '{experiment_key}'" if experiment_key else ""
    runs = store.client.search_runs(
        [store.experiment_id],
        f"tags.model_md5 = '{model_md5}'{of_experiment}",
        max_results=1,
        order_by=["attributes.start_time DESC"],
    )
    return runs[0] if runs else None


def _log(store: Store, evaluation: Evaluation, restore: bool = False) -> Outcome:
    model_md5 = file_md5(evaluation.checkpoint)
    found = find_newest_run(store, evaluation.experiment_key, model_md5)
    if found is None:
        run = _rebuild_run(store, evaluation, model_md5)
        _log_test_results(run, store.client.get_run(run.id), evaluation)
        return "made"
    run = Run(store, found.info.run_id)
    restored = restore and _restore_model(run, found, evaluation)
    return "filled" if _log_test_results(run, found, evaluation) or restored else "same"


def _restore_model(run: Run, current: "MlflowRun", evaluation: Evaluation) -> bool:
    """Log the model again if its files are gone; False if they are there."""
    model_id = last_model(current)
    if model_id and has_model_files(run.store, model_id):
        return False
    run.log_model(evaluation.checkpoint, evaluation.height)
    return True


def _rebuild_run(store: Store, evaluation: Evaluation, model_md5: str) -> Run:
    epochs = list(_read_epochs(evaluation.history, evaluation.seed))
    tags = {**evaluation.tags, "source": "backfill"}
    key, variant = evaluation.experiment_key, evaluation.variant
    with create_run(store, key, evaluation.settings, tags, evaluation.note, variant) as run:
        for epoch, metrics in epochs:
            run.log_epoch(epoch, metrics)
        run.log_metrics(evaluation.training_metrics)
        run.log_model(evaluation.checkpoint, evaluation.height)
        run.mark_complete(model_md5)
    return run


def _log_test_results(run: Run, current: "MlflowRun", evaluation: Evaluation) -> bool:
    """Log what the run lacks or has otherwise; False if it has all of it."""
    metrics = finite({f"test_{name}": value for name, value in evaluation.metrics.items()})
    missing = {name: value for name, value in metrics.items() if current.data.metrics.get(name) != value}
    if not evaluation.metrics or ("evaluated" in current.data.tags and not missing):
        return False
    run.log_metrics(missing)
    for picture in evaluation.pictures:
        run.log_file(picture)
    run.set_tags({"evaluated": "true"})
    return True


def _read_epochs(history: Path, seed: int | None) -> Iterator[tuple[int, dict[str, float]]]:
    with history.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row.pop("seed", None) != (None if seed is None else str(seed)):
                continue
            try:
                epoch = int(float(row.pop("epoch")))
            except (KeyError, ValueError):
                raise InputError(f"{history}: needs the column `epoch` with whole numbers") from None
            yield epoch, _parse_metrics(row)


def _parse_metrics(row: Mapping[str, str]) -> dict[str, float]:
    metrics = {}
    for name, text in row.items():
        with suppress(ValueError):  # A metric that an epoch does not have is an empty field.
            metrics[name] = float(text)
    return metrics
