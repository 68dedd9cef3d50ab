"""Which MLflow run belongs to which checkpoint of the workspace: `python -m pipeline.runs`.

After `dvc exp apply NAME` or `git checkout` with `dvc checkout` it lists the runs of those results.
"""

import json
from collections.abc import Iterator

from pipeline import paths
from pipeline.errors import exit_on_input_error
from pipeline.files import md5_of
from pipeline.settings.base import read_params
from pipeline.settings.project import check_project
from pipeline.tracking import open_store
from pipeline.tracking.evaluations import newest_run

COLUMNS = ("experiment", "CER", "md5 in dvc.lock", "MLflow run", "DVC experiment")


def rows() -> Iterator[tuple[str, ...]]:
    """One row for each experiment that was trained, in the order of the settings."""
    store = open_store()
    for key in check_project(read_params()).experiments:
        if not paths.checkpoint(key).exists():
            continue
        md5, metrics = md5_of(paths.checkpoint(key)), paths.metrics(key)
        cer = json.loads(metrics.read_text(encoding="utf-8"))["test_cer"] if metrics.exists() else None
        run = newest_run(store, key, md5)
        found = (
            (run.info.run_id, run.data.tags.get("dvc.exp_name", "")) if run else ("none; python -m pipeline.sync", "")
        )
        yield key, "" if cer is None else f"{cer:.2%}", md5, *found


def main() -> None:
    """Print the table."""
    table = [COLUMNS, *rows()]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    exit_on_input_error(main)
