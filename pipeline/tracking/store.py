"""The MLflow store that keeps all runs: one in the project's root, created safely."""

import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from pipeline.common.errors import InputError
from pipeline.common.files import atomic_path, project_root

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "emnist-lines"
SYNC_COMMAND = "python -m pipeline sync"
_SQLITE = "sqlite:///"
_LOCK_SECONDS = 120


@dataclass(frozen=True)
class Store:
    """An open tracking store and the MLflow experiment that holds all the runs."""

    uri: str
    client: "MlflowClient"
    experiment_id: str


def open_store() -> Store:
    """Open the store, and create it if it is missing.

    It is `mlflow.db` in the project's root, also in DVC's temporary copies, unless `MLFLOW_TRACKING_URI` names
    another one.

    Raises:
        InputError: the store cannot be used.
    """
    _silence_mlflow()
    uri = tracking_uri()
    database = _database_path(uri)
    with _ignore_mlflow_warnings(), _raise_input_error(uri), _lock(database):
        import mlflow

        if database:
            _create_or_check(database)
        client = mlflow.MlflowClient(uri)
        experiment_id = _find_or_create_experiment(client, local=database is not None)
        # MLflow's functions that log models use only the global URI.
        mlflow.set_tracking_uri(uri)
    return Store(uri, client, experiment_id)


def tracking_uri() -> str:
    """The store's URI; a relative path in `MLFLOW_TRACKING_URI` starts at the project's root."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}mlflow.db"
    if not uri.startswith(_SQLITE):
        return uri
    return f"{_SQLITE}{(project_root() / uri.removeprefix(_SQLITE)).resolve()}"


def first_line(error: BaseException) -> str:
    """The first line of an error's message; of its cause if MLflow wraps another error."""
    while error.__cause__ is not None and not isinstance(error, InputError):
        error = error.__cause__
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def _silence_mlflow() -> None:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # MLflow sets no level on this logger, but logs a traceback of everything it raises.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


@contextmanager
def _ignore_mlflow_warnings() -> Iterator[None]:
    """Ignore warnings about MLflow's own code while it is imported and opens a store."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Any type hint is inferred as AnyType")
        warnings.filterwarnings("ignore", message="The ``noload`` loader strategy is deprecated")
        import mlflow.pyfunc  # noqa: F401

        yield


def _database_path(uri: str) -> Path | None:
    return Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None


@contextmanager
def _raise_input_error(uri: str) -> Iterator[None]:
    from alembic.util import CommandError
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, CommandError, SQLAlchemyError, sqlite3.Error, OSError) as error:
        place = uri.removeprefix(_SQLITE)
        # MLflow calls a store that is too new out of date as well.
        if isinstance(error, CommandError) or "out-of-date database schema" in str(error):
            message = f"{place} was written by another version of MLflow"
        else:
            message = f"{place} cannot be used as MLflow store ({first_line(error)})"
        raise InputError(f"{message}; move it away and run `{SYNC_COMMAND}` to rebuild it") from error


@contextmanager
def _lock(database: Path | None) -> Iterator[None]:
    """Let one process at a time open a SQLite store: two that create or upgrade it at once break it."""
    if database is None:
        yield
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{database}.lock", timeout=_LOCK_SECONDS):
        yield


def _create_or_check(database: Path) -> None:
    if database.exists():
        # On a file that is no database, MLflow itself retries for minutes.
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True)) as connection:
            connection.execute("SELECT version_num FROM alembic_version")
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with atomic_path(database) as partial:
        store = SqlAlchemyStore(f"{_SQLITE}{partial}", str(_artifact_root()))
        store.engine.dispose()


def _artifact_root() -> Path:
    # MLflow's default is in the working folder, which DVC may remove.
    return (project_root() / "mlruns").resolve()


def _find_or_create_experiment(client: "MlflowClient", local: bool) -> str:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        # A server chooses the place of its artifacts.
        location = str(_artifact_root() / EXPERIMENT) if local else None
        return str(client.create_experiment(EXPERIMENT, artifact_location=location))
    if experiment.lifecycle_stage != "active":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)
