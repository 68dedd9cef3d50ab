"""The run of a training, which follows the training but never stops it."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.common.errors import InputError
from pipeline.tracking.origin import origin_tags
from pipeline.tracking.store import SYNC_COMMAND, Store, first_line, open_store
from pipeline.tracking.writer import RunWriter, status_of_block


class TrainingRun:
    """A run whose writing gives up at the first trouble, with one warning on stderr.

    Such a run never gets `model_md5`, so the evaluation or a sync makes a whole one beside it.
    """

    def __init__(self, writer: RunWriter) -> None:
        self._writer = writer
        self._gave_up = False

    @property
    def id(self) -> str:
        """MLflow's id of the run, with which a later process can resume it."""
        return self._writer.run_id

    def log_epoch(self, epoch: int, metrics: Mapping[str, float | None]) -> None:
        """Keep an epoch's metrics; those that are `None` or not finite are left out."""
        self._attempt(lambda: self._writer.log_epoch(epoch, metrics))

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Keep numbers of the training as a whole."""
        self._attempt(lambda: self._writer.log_metrics(metrics))

    def log_picture(self, path_in_run: str, file: Path) -> None:
        """Keep a copy of a picture at a path such as `lines/best.png`."""
        self._attempt(lambda: self._writer.log_file(path_in_run, file))

    def draw_picture(self, key: str, epoch: int, draw: Callable[[Path], None]) -> None:
        """Keep the PNG that `draw` writes, as an epoch's picture in a series; trouble costs only the run as well."""

        def write() -> None:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / f"{key}.png"
                draw(file)
                self._writer.log_image(key, epoch, file)

        self._attempt(write)

    def log_text(self, path_in_run: str, text: str) -> None:
        """Keep a text or a table as a file."""
        self._attempt(lambda: self._writer.log_text(path_in_run, text))

    def log_model(self, checkpoint: Path) -> None:
        """Keep a servable copy of the model."""
        self._attempt(lambda: self._writer.log_model(checkpoint))

    def finish(self, model_md5: str) -> None:
        """Name the trained model, by which its evaluation finds this run; call it last."""
        self._attempt(lambda: self._writer.tag({"model_md5": model_md5}))

    def end(self, status: str) -> None:
        """End the run, as FAILED where not everything of it could be kept."""
        if self._gave_up:
            with suppress(Exception):
                self._writer.end("FAILED")
        else:
            self._attempt(lambda: self._writer.end(status))

    def _attempt(self, write: Callable[[], None]) -> None:
        if self._gave_up:
            return
        try:
            write()
        except Exception as error:  # Whatever it is, hours of training are worth more.
            self._gave_up = True
            warn_not_kept(error)


@contextmanager
def start_run(
    experiment_key: str,
    settings: Mapping[str, object],
    tags: Mapping[str, str],
    note: str = "",
    resume: str | None = None,
    variant: str = "",
) -> Iterator[TrainingRun]:
    """Follow a training as a run: FINISHED, KILLED after Ctrl-C, FAILED after another exception.

    `InputError` before the block when the store cannot be used; later trouble costs only the run.
    `resume` is the id of an interrupted run to go on with; where it is gone, a new one is made. `variant` tells it
    from other runs of the experiment by its name.
    """
    store = open_store()
    tags = {**tags, **origin_tags(), "source": "train"}
    writer = _resumed(store, resume) or create_run(store, experiment_key, settings, tags, note, variant)
    run = TrainingRun(writer)
    with status_of_block(run):
        yield run


def create_run(
    store: Store, experiment_key: str, settings: Mapping[str, object], tags: Mapping[str, str], note: str, variant: str
) -> RunWriter:
    """A new run of an experiment, named after it, the variant and DVC's experiment; `InputError` when refused."""
    details = ", ".join(filter(None, [variant, os.environ.get("DVC_EXP_NAME")]))
    name = f"{experiment_key} ({details})" if details else experiment_key
    described = {"mlflow.note.content": note} if note else {}
    try:
        writer = RunWriter.create(store, name, settings, {**tags, **described, "experiment_key": experiment_key})
        if {"lines", "data_md5"} <= tags.keys():
            writer.log_dataset(tags["lines"], tags["data_md5"])
    except Exception as error:
        raise InputError(f"MLflow store {store.uri} takes no new run ({first_line(error)})") from error
    return writer


def warn_not_kept(error: Exception) -> None:
    """One line on stderr, for trouble that the work itself survives."""
    print(
        f"warning: MLflow did not keep this run ({first_line(error)}); "
        f"the work goes on, `{SYNC_COMMAND}` adds it later",
        file=sys.stderr,
    )


def _resumed(store: Store, run_id: str | None) -> RunWriter | None:
    from mlflow.exceptions import MlflowException

    if run_id is None:
        return None
    try:
        if store.client.get_run(run_id).info.lifecycle_stage != "active":
            return None
        store.client.update_run(run_id, status="RUNNING")
    except MlflowException:
        return None
    return RunWriter(store, run_id)
