"""Where MLflow keeps the runs: one store in the project's main root, created safely."""

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
    """Open the store, and create it where it is missing.

    It is `mlflow.db` in the project's root, also in DVC's temporary copies, unless
    `MLFLOW_TRACKING_URI` names another one. `InputError` when it cannot be used.
    """
    _quieten()
    uri = tracking_uri()
    database = _database(uri)
    with _own_warnings_ignored(), _as_input_error(uri), _exclusively(database):
        import mlflow

        if database:
            _create_or_check(database)
        client = mlflow.MlflowClient(uri)
        experiment_id = _experiment_id(client, local=database is not None)
        # Models are logged through functions of MLflow that know the global URI only.
        mlflow.set_tracking_uri(uri)
    return Store(uri, client, experiment_id)


def tracking_uri() -> str:
    """The store's URI; a relative path in `MLFLOW_TRACKING_URI` starts from the project's root."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}mlflow.db"
    if not uri.startswith(_SQLITE):
        return uri
    return f"{_SQLITE}{(project_root() / uri.removeprefix(_SQLITE)).resolve()}"


def first_line(error: BaseException) -> str:
    """An error as part of a one-line message: its cause, where MLflow wraps another error."""
    while error.__cause__ is not None and not isinstance(error, InputError):
        error = error.__cause__
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def _quieten() -> None:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # MLflow sets no level on it, but logs a traceback there of everything it raises.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


@contextmanager
def _own_warnings_ignored() -> Iterator[None]:
    """Ignore what MLflow warns of in its own code while it is imported and opens a store."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Any type hint is inferred as AnyType")
        warnings.filterwarnings("ignore", message="The ``noload`` loader strategy is deprecated")
        import mlflow.pyfunc  # noqa: F401

        yield


def _database(uri: str) -> Path | None:
    return Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None


@contextmanager
def _as_input_error(uri: str) -> Iterator[None]:
    from alembic.util import CommandError
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, CommandError, SQLAlchemyError, sqlite3.Error, OSError) as error:
        place = uri.removeprefix(_SQLITE)
        # A store that is too new is called out of date as well.
        if isinstance(error, CommandError) or "out-of-date database schema" in str(error):
            message = f"{place} was written by another version of MLflow"
        else:
            message = f"{place} cannot be used as MLflow store ({first_line(error)})"
        raise InputError(f"{message}; move it away and run `{SYNC_COMMAND}` to rebuild it") from error


@contextmanager
def _exclusively(database: Path | None) -> Iterator[None]:
    """Let one process at a time open a SQLite store: two that create or upgrade it break it."""
    if database is None:
        yield
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{database}.lock", timeout=_LOCK_SECONDS):
        yield


def _create_or_check(database: Path) -> None:
    if database.exists():
        # MLflow itself retries for minutes on a file that is no database.
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True)) as connection:
            connection.execute("SELECT version_num FROM alembic_version")
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with atomic_path(database) as partial:
        store = SqlAlchemyStore(f"{_SQLITE}{partial}", str(_artifacts()))
        store.engine.dispose()


def _artifacts() -> Path:
    # MLflow's own default is in the working folder, which DVC may remove.
    return (project_root() / "mlruns").resolve()


def _experiment_id(client: "MlflowClient", local: bool) -> str:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        # A server keeps artifacts where it was told to.
        place = str(_artifacts() / EXPERIMENT) if local else None
        return str(client.create_experiment(EXPERIMENT, artifact_location=place))
    if experiment.lifecycle_stage != "active":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)
