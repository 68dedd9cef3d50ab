"""The results of evaluated models, in the run that trained them or in one that is rebuilt."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipeline.common.errors import InputError
from pipeline.common.files import file_md5
from pipeline.tracking.run import create_run, warn_not_kept
from pipeline.tracking.store import Store, open_store
from pipeline.tracking.writer import RunWriter, finite, status_of_block

if TYPE_CHECKING:
    from mlflow.entities import Run

Outcome = Literal["made", "filled", "same"]


@dataclass(frozen=True)
class Evaluation:
    """What a training left in DVC's outputs: enough to rebuild its run."""

    experiment_key: str
    settings: Mapping[str, object]
    tags: Mapping[str, str]
    checkpoint: Path
    history: Path
    """A CSV file with the column `epoch` and one column for each metric."""
    metrics: Mapping[str, float | None]
    """Of the test lines, without the prefix `test_`; empty where nothing is evaluated yet."""
    pictures: Mapping[str, Path] = field(default_factory=dict)
    """Files by their path in the run."""
    note: str = ""
    variant: str = ""
    """What tells the run from others of the experiment."""
    seed: int | None = None
    """Whose rows of the history are meant; None where it has no column `seed`."""
    training: Mapping[str, float] = field(default_factory=dict)
    """Of the training as a whole."""


def log_evaluation(evaluation: Evaluation) -> None:
    """Add an evaluation to the newest run of the same model, or to a new run where there is none.

    Trouble with the store is one warning on stderr: the results are in DVC's outputs anyway.
    """
    try:
        _record(open_store(), evaluation)
    except Exception as error:  # Whatever it is, the evaluation itself is done and kept.
        warn_not_kept(error)


def sync(evaluations: Iterable[Evaluation]) -> Counter[Outcome]:
    """Make the store hold every evaluation, and print how many runs were made, filled or the same.

    A second call changes nothing. `InputError` when the store or a file cannot be used.
    """
    store = open_store()
    counts: Counter[Outcome] = Counter(_record(store, evaluation) for evaluation in evaluations)
    print(f"made {counts['made']} filled {counts['filled']} same {counts['same']}")
    return counts


def _record(store: Store, evaluation: Evaluation) -> Outcome:
    model_md5 = file_md5(evaluation.checkpoint)
    run = newest_run(store, evaluation.experiment_key, model_md5)
    if run is None:
        writer = _backfill(store, evaluation, model_md5)
        run = store.client.get_run(writer.run_id)
        outcome: Outcome = "made"
    else:
        writer = RunWriter(store, run.info.run_id)
        outcome = "same"
    if _fill(writer, run, evaluation) and outcome == "same":
        outcome = "filled"
    return outcome


def newest_run(store: Store, experiment_key: str, model_md5: str) -> "Run | None":
    """The run of an experiment that trained the model with this MD5, or its rebuilt one."""
    runs = store.client.search_runs(
        [store.experiment_id],
        f"tags.model_md5 = '{model_md5}' and tags.experiment_key = '{experiment_key}'",
        max_results=1,
        order_by=["attributes.start_time DESC"],
    )
    return runs[0] if runs else None


def _backfill(store: Store, evaluation: Evaluation, model_md5: str) -> RunWriter:
    epochs = list(_epochs(evaluation.history, evaluation.seed))
    tags = {**evaluation.tags, "source": "backfill"}
    key, variant = evaluation.experiment_key, evaluation.variant
    writer = create_run(store, key, evaluation.settings, tags, evaluation.note, variant)
    with status_of_block(writer):
        for epoch, metrics in epochs:
            writer.log_epoch(epoch, metrics)
        writer.log_metrics(evaluation.training)
        writer.log_model(evaluation.checkpoint)
        # Last, so that a run that is not whole is never found again.
        writer.tag({"model_md5": model_md5})
    return writer


def _fill(writer: RunWriter, run: "Run", evaluation: Evaluation) -> bool:
    metrics = finite({f"test_{name}": value for name, value in evaluation.metrics.items()})
    missing = {name: value for name, value in metrics.items() if run.data.metrics.get(name) != value}
    if not evaluation.metrics or ("evaluated" in run.data.tags and not missing):
        return False
    writer.log_metrics(missing)
    for path_in_run, file in evaluation.pictures.items():
        writer.log_file(path_in_run, file)
    writer.tag({"evaluated": "true"})
    return True


def _epochs(history: Path, seed: int | None) -> Iterator[tuple[int, dict[str, float]]]:
    with history.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row.pop("seed", None) != (None if seed is None else str(seed)):
                continue
            try:
                epoch = int(float(row.pop("epoch")))
            except (KeyError, ValueError):
                raise InputError(f"{history}: needs the column `epoch` with whole numbers") from None
            yield epoch, _numbers(row)


def _numbers(row: Mapping[str, str]) -> dict[str, float]:
    numbers = {}
    for name, text in row.items():
        with suppress(ValueError):  # A metric that an epoch does not have is an empty field.
            numbers[name] = float(text)
    return numbers
