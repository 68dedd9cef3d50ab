"""One run in the MLflow store, and everything that is written into it."""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial, wraps
from pathlib import Path
from typing import Concatenate, ParamSpec

from pipeline.common import paths
from pipeline.tracking.live_runs import LiveRun
from pipeline.tracking.model import log_model
from pipeline.tracking.pending import PendingWrites
from pipeline.tracking.store import Store
from pipeline.tracking.store_errors import SYNC_COMMAND, describe, first_line
from pipeline.tracking.values import finite, flatten

LAST_SECONDS = 30.0
"""How long the end of a run waits for a store that does not answer."""
_P = ParamSpec("_P")
_MAX_PARAMS_AT_ONCE = 100


def _writes(method: Callable[Concatenate["Run", _P], None]) -> Callable[Concatenate["Run", _P], None]:
    """Make a method that writes into the store obey `best_effort`."""

    @wraps(method)
    def write(run: "Run", /, *args: _P.args, **kwargs: _P.kwargs) -> None:
        if not run.best_effort:
            method(run, *args, **kwargs)
        elif not run.gave_up:
            run.pending.add(partial(method, run, *args, **kwargs))
            with run.giving_up():
                run.pending.try_now()

    return write


class Run:
    """A run of the store by its id; as a context manager, it ends with the block.

    With `best_effort`, what is logged while the store does not answer is written later, at the end of the block at the
    latest. Any other error, or no answer until then, is one warning on stderr, and the run gives up: nothing more is
    written. Such a run never gets the tag `model_md5`, so the evaluation or a sync makes a complete one. Without
    `best_effort`, errors are raised.
    """

    def __init__(
        self, store: Store | None, run_id: str, *, best_effort: bool = False, live: LiveRun | None = None
    ) -> None:
        """`live` is released with the block."""
        self._store = store
        self.id = run_id
        self.best_effort = best_effort
        self.gave_up = False
        self.pending = PendingWrites()
        self._live = live
        self._last_epoch = 0

    @classmethod
    def begun_later(cls, begin: Callable[[], "Run"], error: Exception, start: float) -> "Run":
        """A best-effort run that `begin` makes when the store answers; until then it has no id.

        The first try began at `start` and failed with `error`.
        """
        run = cls(None, "", best_effort=True)

        def become() -> None:
            begun = begin()
            run._store, run.id, run._live = begun._store, begun.id, begun._live
            run.pending.add_next(partial(begun.pending.write_all, 0))

        run.pending.add(become)
        run.pending.keep_waiting(error, start)
        return run

    @property
    def store(self) -> Store:
        """The store of a run that has one."""
        assert self._store is not None
        return self._store

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        """End the run: FINISHED, KILLED after Ctrl-C or a signal, FAILED after another exception or if it gave up."""
        # Lightning turns Ctrl-C into an exit.
        killed = isinstance(error, KeyboardInterrupt | SystemExit)
        ended = False
        try:
            if not self.gave_up:
                self._set_status("FINISHED" if error is None else "KILLED" if killed else "FAILED", _now())
                with self.giving_up():
                    self.pending.write_all(LAST_SECONDS if error is None else 0)
                ended = not self.gave_up
            elif self._store:
                with suppress(Exception):
                    self.store.client.set_terminated(self.id, "FAILED")
                    ended = True
        finally:
            if self._live:
                self._live.release(ended)

    @contextmanager
    def giving_up(self) -> Iterator[None]:
        """Give up with a warning if the block raises an exception."""
        try:
            yield
        except Exception as error:  # Of any kind: hours of training are worth more than its run.
            self.gave_up = True
            warn_not_kept(error, self._store.address if self._store else "")

    @_writes
    def _set_status(self, status: str, end_time: int) -> None:
        self.store.client.set_terminated(self.id, status, end_time)

    @_writes
    def log_settings(self, settings: Mapping[str, object]) -> None:
        """Log nested settings as parameters."""
        from mlflow.entities import Param

        params = [Param(key, value) for key, value in flatten(settings).items()]
        for start in range(0, len(params), _MAX_PARAMS_AT_ONCE):
            self.store.client.log_batch(self.id, params=params[start : start + _MAX_PARAMS_AT_ONCE])

    @_writes
    def log_dataset(self, name: str, md5: str) -> None:
        """Name the data set of lines. MLflow shows it in a column of its own and can filter by it."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = json.dumps({"uri": paths.lines(name).as_posix()})
        dataset = Dataset(name, md5, source_type="local", source=source)
        self.store.client.log_inputs(self.id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "train")])])

    def log_metrics(self, metrics: Mapping[str, float | None], step: int = 0) -> None:
        """Log the finite metrics of one step in one transaction."""
        self._log_metrics(finite(metrics), step, _now())

    @_writes
    def _log_metrics(self, metrics: Mapping[str, float], step: int, time: int) -> None:
        from mlflow.entities import Metric

        batch = [Metric(name, value, time, step) for name, value in metrics.items()]
        self.store.client.log_batch(self.id, metrics=batch)

    def log_epoch(self, epoch: int, metrics: Mapping[str, float | None]) -> None:
        """Log the finite metrics of one epoch."""
        self._last_epoch = epoch
        self.log_metrics(metrics, epoch)

    @_writes
    def log_file(self, file: Path) -> None:
        """Log a copy of a file as an artifact with the same name."""
        self.store.client.log_artifact(self.id, str(file))

    @_writes
    def log_drawing(self, key: str, epoch: int, draw: Callable[[Path], None]) -> None:
        """Log the PNG that `draw` writes to a path as the image of one epoch; MLflow shows all epochs as a series."""
        from PIL import Image

        with tempfile.TemporaryDirectory() as folder:
            draw(file := Path(folder) / f"{key}.png")
            with Image.open(file) as picture:
                self.store.client.log_image(self.id, picture.convert("RGB"), key=key, step=epoch, synchronous=True)

    @_writes
    def log_model(self, checkpoint: Path, height: int) -> None:
        """Log a servable copy of the model, at the last logged epoch, or the files of a model that it has again.

        `height` is that of the model's lines in pixels.
        """
        log_model(self.store, self.id, checkpoint, self._last_epoch, height)

    @_writes
    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set all of the tags or none."""
        from mlflow.entities import RunTag

        self.store.client.log_batch(self.id, tags=[RunTag(name, text) for name, text in tags.items()])

    def mark_complete(self, model_md5: str) -> None:
        """Tag the run with its model's hash, by which evaluations find it. Call it last: such a run is complete."""
        self.set_tags({"model_md5": model_md5})


def warn_not_kept(error: Exception, address: str = "") -> None:
    """Print one line on stderr about an error that the work itself survives; `address` is that of an open store."""
    print(
        f"warning: MLflow did not keep this run ({describe(address, error) if address else first_line(error)}); "
        f"the work goes on, `{SYNC_COMMAND}` adds it later",
        file=sys.stderr,
    )


def _now() -> int:
    """Milliseconds, as MLflow counts."""
    return int(time.time() * 1000)
