"""Writing one run into the store; every function here raises when the store does not take it."""

import json
import math
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

from pipeline.common.paths import lines
from pipeline.tracking.model import log_model
from pipeline.tracking.store import Store

MAX_VALUE_LENGTH = 500
_MAX_PARAMS_AT_ONCE = 100


def flatten(settings: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Nested settings as MLflow parameters: `{"model": {"fc_dim": 4}}` is `{"model.fc_dim": "4"}`.

    Values other than text are written as JSON; long ones end with `…`.
    """
    flat: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
            continue
        text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
        flat[f"{prefix}{key}"] = text if len(text) <= MAX_VALUE_LENGTH else f"{text[: MAX_VALUE_LENGTH - 1]}…"
    return flat


def finite(metrics: Mapping[str, float | None]) -> dict[str, float]:
    """The metrics that can be drawn: not those that are `None`, NaN or infinite."""
    return {name: float(value) for name, value in metrics.items() if value is not None and math.isfinite(value)}


class RunWriter:
    """One run of the store by its id."""

    def __init__(self, store: Store, run_id: str) -> None:
        self.store = store
        self.run_id = run_id
        self._last_epoch = 0

    @classmethod
    def create(cls, store: Store, name: str, settings: Mapping[str, object], tags: Mapping[str, str]) -> "RunWriter":
        """Make a run that is running, with its parameters."""
        run = store.client.create_run(store.experiment_id, run_name=name, tags=dict(tags))
        writer = cls(store, run.info.run_id)
        writer.log_settings(settings)
        return writer

    def log_settings(self, settings: Mapping[str, object]) -> None:
        """Keep nested settings as parameters."""
        from mlflow.entities import Param

        params = [Param(key, value) for key, value in flatten(settings).items()]
        for start in range(0, len(params), _MAX_PARAMS_AT_ONCE):
            batch = params[start : start + _MAX_PARAMS_AT_ONCE]
            self.store.client.log_batch(self.run_id, params=batch)

    def log_dataset(self, name: str, md5: str) -> None:
        """Name the data set of lines, which MLflow shows in a column of its own and finds runs by."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = json.dumps({"uri": lines(name).as_posix()})
        dataset = Dataset(name, md5, source_type="local", source=source)
        self.store.client.log_inputs(self.run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "train")])])

    def log_metrics(self, metrics: Mapping[str, float | None], step: int = 0) -> None:
        """Keep the metrics of one step in one transaction."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        batch = [Metric(name, value, now, step) for name, value in finite(metrics).items()]
        self.store.client.log_batch(self.run_id, metrics=batch)

    def log_epoch(self, epoch: int, metrics: Mapping[str, float | None]) -> None:
        """Keep the metrics of one epoch."""
        self._last_epoch = epoch
        self.log_metrics(metrics, epoch)

    def log_file(self, path_in_run: str, file: Path) -> None:
        """Keep a copy of a file under another name and folder."""
        place = PurePosixPath(path_in_run)
        folder = None if place.parent == PurePosixPath() else str(place.parent)
        with tempfile.TemporaryDirectory() as temporary:
            renamed = shutil.copy(file, Path(temporary) / place.name)
            self.store.client.log_artifact(self.run_id, str(renamed), folder)

    def log_image(self, key: str, step: int, file: Path) -> None:
        """Keep a picture as one of a series, which MLflow shows by step."""
        from PIL import Image

        with Image.open(file) as picture:
            self.store.client.log_image(self.run_id, picture.convert("RGB"), key=key, step=step, synchronous=True)

    def log_text(self, path_in_run: str, text: str) -> None:
        """Keep a text as a file."""
        self.store.client.log_text(self.run_id, text, path_in_run)

    def log_model(self, checkpoint: Path) -> None:
        """Keep the model such that `mlflow.pyfunc.load_model` reads lines with it."""
        log_model(self.store, self.run_id, checkpoint, self._last_epoch)

    def tag(self, tags: Mapping[str, str]) -> None:
        """Set tags, all of them or none."""
        from mlflow.entities import RunTag

        self.store.client.log_batch(self.run_id, tags=[RunTag(name, text) for name, text in tags.items()])

    def end(self, status: str) -> None:
        """End the run with a status of MLflow: FINISHED, FAILED or KILLED."""
        self.store.client.set_terminated(self.run_id, status)


class Endable(Protocol):
    """A run that can be ended."""

    def end(self, status: str) -> None:
        """End the run with a status of MLflow: FINISHED, FAILED or KILLED."""


@contextmanager
def status_of_block(run: Endable) -> Iterator[None]:
    """End the run as the block ends: KILLED after Ctrl-C or a signal, FAILED after another exception."""
    try:
        yield
    except BaseException as error:
        # Lightning turns Ctrl-C into an exit.
        run.end("KILLED" if isinstance(error, KeyboardInterrupt | SystemExit) else "FAILED")
        raise
    run.end("FINISHED")
