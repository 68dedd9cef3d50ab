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

from pipeline.common.files import atomic_path, project_root
from pipeline.tracking.artifacts import artifact_root, move_places, sqlite_path, sqlite_uri
from pipeline.tracking.store_errors import mask, raise_input_error

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sqlalchemy import URL

EXPERIMENT = "emnist-lines"
"""The MLflow experiment, unless `MLFLOW_EXPERIMENT_NAME` names another one."""
_LOCK_SECONDS = 60
_HTTP_LIMITS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
}
"""MLflow itself waits for a server for minutes, up to 16 in all."""
_POSTGRESQL = {"connect_timeout": "10", "tcp_user_timeout": "20000"}
_MYSQL = {"connect_timeout": "10", "read_timeout": "30", "write_timeout": "30"}
_DATABASE_LIMITS = {"psycopg": _POSTGRESQL, "psycopg2": _POSTGRESQL, "mysqldb": _MYSQL, "pymysql": _MYSQL}
"""By driver: these wait for ever, or as long as TCP does."""
_DATABASE_LOCKS = {
    "postgresql": f"SELECT pg_advisory_lock(hashtext('{EXPERIMENT}'))",
    "mysql": f"SELECT GET_LOCK('{EXPERIMENT}', {_LOCK_SECONDS})",
}


@dataclass(frozen=True)
class Store:
    """An open tracking store and the MLflow experiment that holds all the runs."""

    address: str
    """For messages: without passwords."""
    client: "MlflowClient"
    experiment_id: str


def open_store() -> Store:
    """Open the store, and create it if it is missing.

    It is `mlflow.db` in the project's root, also in DVC's temporary copies, unless `MLFLOW_TRACKING_URI` names
    another one. No wait for it takes more than a minute, unless MLflow's variables or the database's address say so.

    Raises:
        InputError: the store cannot be used.
        StoreUnreachableError: the store does not answer. An `InputError` too.
    """
    _configure_mlflow()
    uri = tracking_uri()
    address = mask(uri)
    database = sqlite_path(uri)
    with _ignore_mlflow_warnings(), raise_input_error(uri), _lock(database):
        import mlflow

        root = None if uri.startswith(("http:", "https:")) else artifact_root(database)
        if database:
            _create_or_check(database)
        elif root:
            uri = _connect(uri, root)
        client = mlflow.MlflowClient(uri)
        experiment_id = _find_or_create_experiment(client, uri, root, beside_store=database is not None)
        # MLflow's functions that log models use only the global URI.
        mlflow.set_tracking_uri(uri)
    return Store(address, client, experiment_id)


def tracking_uri() -> str:
    """The store's URI; a relative path in `MLFLOW_TRACKING_URI` starts at the project's root."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    database = sqlite_path(uri)
    return sqlite_uri((project_root() / database).resolve()) if database else uri


def _configure_mlflow() -> None:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # It would be printed with its password.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    for name, value in _HTTP_LIMITS.items():
        os.environ.setdefault(name, value)
    # MLflow sets no level on the first logger, but logs a traceback of everything it raises. The second logs retries.
    for logger in ("mlflow.store.db.utils", "urllib3.connectionpool"):
        logging.getLogger(logger).setLevel(logging.CRITICAL)


@contextmanager
def _ignore_mlflow_warnings() -> Iterator[None]:
    """Ignore warnings about MLflow's own code while it is imported and opens a store."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Any type hint is inferred as AnyType")
        warnings.filterwarnings("ignore", message="The ``noload`` loader strategy is deprecated")
        import mlflow.pyfunc  # noqa: F401

        yield


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
    with atomic_path(database) as partial:
        _create_tables(sqlite_uri(partial), artifact_root(database))


def _connect(uri: str, root: str) -> str:
    """Connect to a database once, as MLflow itself retries for minutes; return its URI with limits on all waits."""
    from sqlalchemy import create_engine, inspect, text

    url = limit_waits(uri)
    engine = create_engine(url)
    uri = url.render_as_string(hide_password=False)
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            # Two processes that create the tables at once would break the database. The lock ends with the connection.
            if lock := _DATABASE_LOCKS.get(url.get_backend_name()):
                connection.execute(text(lock))
            if not inspect(connection).has_table("alembic_version"):
                _create_tables(uri, root)
    engine.dispose()
    return uri


def limit_waits(uri: str) -> "URL":
    """The address of a database with limits on all waits for it, but for those that it names itself."""
    from sqlalchemy import make_url

    url = make_url(uri)
    limits = _DATABASE_LIMITS.get(url.get_driver_name(), {})
    return url.update_query_dict({name: value for name, value in limits.items() if name not in url.query})


def _create_tables(uri: str, root: str) -> None:
    """Create a store whose artifacts lie below `root`: MLflow's default is the working folder, which DVC may remove."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    SqlAlchemyStore(uri, root).engine.dispose()


def _find_or_create_experiment(client: "MlflowClient", uri: str, root: str | None, beside_store: bool) -> str:
    """Find the experiment, or create it with its artifacts below `root`; None if a server chooses their place."""
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return str(client.create_experiment(name, artifact_location=root and f"{root}/{name}"))
        except MlflowException:
            # Another process, also one on another machine, may have just created it.
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
    if experiment.lifecycle_stage != "active":
        client.restore_experiment(experiment.experiment_id)
    if root:
        move_places(uri, experiment, root, beside_store)
    return str(experiment.experiment_id)
