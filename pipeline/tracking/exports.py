"""The MLflow run that a checkpoint comes from: where the model comes from, and a place for files made from it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.common.files import file_md5
from pipeline.tracking.artifacts import sqlite_path
from pipeline.tracking.evaluations import find_newest_run
from pipeline.tracking.run import Run
from pipeline.tracking.store import Store, open_store, tracking_uri
from pipeline.tracking.store_errors import first_line


@dataclass(frozen=True)
class Origin:
    """The newest run that trained a checkpoint."""

    store: Store
    run_id: str
    tags: Mapping[str, str]

    def log_file(self, file: Path) -> bool:
        """Log a copy of a file as an artifact of the run; False, and a warning on stderr, if that fails."""
        try:
            Run(self.store, self.run_id).log_file(file)
        except Exception as error:  # Of any kind: the file is written already.
            _warn(error)
            return False
        return True


def find_origin(checkpoint: Path, experiment_key: str | None = None) -> Origin | None:
    """Find the run of a checkpoint by its hash.

    None if there is no store or no run, or, with a warning on stderr, if the store fails.
    """
    database = sqlite_path(tracking_uri())
    if not checkpoint.is_file() or (database and not database.exists()):
        return None
    try:
        store = open_store()
        run = find_newest_run(store, experiment_key, file_md5(checkpoint))
    except Exception as error:  # Of any kind: the checkpoint can be used without its run.
        _warn(error)
        return None
    return Origin(store, run.info.run_id, run.data.tags) if run else None


def _warn(error: Exception) -> None:
    print(f"warning: MLflow does not have this export ({first_line(error)}); the work goes on", file=sys.stderr)
