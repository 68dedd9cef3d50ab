"""Where the files of runs lie: beside a SQLite store, in the project for another database, also after a move.

MLflow stores each place as an absolute path: of the experiment, and of every run, model and version in it. A server
chooses the places itself.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pipeline.common.files import project_root

if TYPE_CHECKING:
    from mlflow.entities import Experiment

SQLITE = "sqlite:///"
FOLDER = "mlruns"
_TEMPORARY = f"{os.sep}.dvc{os.sep}tmp{os.sep}exps{os.sep}"
"""DVC runs temporary experiments below this folder, and deletes them."""


def sqlite_uri(database: Path) -> str:
    """The URI of a SQLite store, whose path SQLAlchemy unquotes."""
    return f"{SQLITE}{str(database).replace('%', '%25')}"


def sqlite_path(uri: str) -> Path | None:
    """The file of a SQLite store; None for another store."""
    return Path(unquote(uri.removeprefix(SQLITE))) if uri.startswith(SQLITE) else None


def artifact_root(database: Path | None) -> str:
    """Choose the folder, or the URI, of all artifacts; `database` is the file of a SQLite store.

    `MLFLOW_DEFAULT_ARTIFACT_ROOT` names another place; relative paths start at the project's root.
    """
    named = os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT")
    if named and urlsplit(named).scheme:
        return named.rstrip("/")
    folder = project_root() / named if named else (database.parent if database else project_root()) / FOLDER
    path = folder.resolve()
    # MLflow would unquote a path with a `%`.
    return path.as_uri() if "%" in str(path) else str(path)


def move_places(address: str, experiment: "Experiment", root: str, beside_store: bool) -> None:
    """Correct the places of an experiment's artifacts in the database at `address` if they are not below `root`.

    New artifacts go below `root`, unless the database is shared and its old folder is still there. The place of an old
    artifact changes if its files are found below `root`, or nowhere and no other machine can have them.
    """
    old = experiment.artifact_location
    old_root, new = old.rpartition("/")[0], f"{root}/{experiment.name}"
    if old == new or Path(_path(old)).parent.name != FOLDER:  # A place that the user chose stays.
        return
    own = beside_store or _TEMPORARY in old
    if own or "MLFLOW_DEFAULT_ARTIFACT_ROOT" in os.environ or (not _exists(old) and _exists(new)):
        _replace(address, old_root, root, own)


def _replace(address: str, old_root: str, root: str, own: bool) -> None:
    from mlflow.store.model_registry.dbmodels.models import SqlModelVersion
    from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlLoggedModel, SqlRun
    from sqlalchemy import create_engine, select, update

    columns: list[Any] = [SqlRun.artifact_uri, SqlLoggedModel.artifact_location]
    columns += [SqlModelVersion.source, SqlModelVersion.storage_location]
    engine = create_engine(address)
    with engine.begin() as connection:
        for column in columns:
            stored = select(column).distinct().where(column.startswith(f"{old_root}/", autoescape=True))
            for place in connection.execute(stored).scalars().all():
                moved = root + place.removeprefix(old_root)
                if _exists(moved) or (own and not _exists(place)):
                    change = update(column.class_).where(column == place).values({column.key: moved})
                    connection.execute(change)
        for name, location in connection.execute(select(SqlExperiment.name, SqlExperiment.artifact_location)).all():
            if location.startswith(f"{old_root}/"):
                change = update(SqlExperiment).where(SqlExperiment.name == name)
                connection.execute(change.values(artifact_location=root + location.removeprefix(old_root)))
    engine.dispose()


def _exists(place: str) -> bool:
    return "://" not in place.removeprefix("file://") and Path(_path(place)).exists()


def _path(place: str) -> str:
    from mlflow.utils.file_utils import local_file_uri_to_path

    return str(local_file_uri_to_path(place))
