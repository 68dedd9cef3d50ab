"""List the checkpoint and the MLflow run of every trained experiment.

    python -m pipeline runs

After `dvc exp apply NAME`, or `git checkout` and `dvc checkout`, it lists the runs of those results.
"""

from collections.abc import Iterator

from pipeline.common import paths
from pipeline.common.files import file_md5
from pipeline.settings.base import read_params
from pipeline.settings.experiment import read_experiment
from pipeline.settings.project import check_project
from pipeline.tracking.dvc_outputs import read_metrics
from pipeline.tracking.evaluations import find_newest_run
from pipeline.tracking.store import open_store

COLUMNS = ("experiment", "seed", "CER", "checkpoint's md5", "MLflow run", "DVC experiment")


def read_rows() -> Iterator[tuple[str, ...]]:
    """One row for each seed of a trained experiment, in the order of the settings."""
    store = open_store()
    for key in check_project(read_params()).experiments:
        for seed in read_experiment(key)[1].seeds:
            checkpoint = paths.checkpoint(key, seed)
            if not checkpoint.exists():
                continue
            md5, cer = file_md5(checkpoint), read_metrics(key, seed).get("cer")
            run = find_newest_run(store, key, md5)
            run_id = run.info.run_id if run else "none; python -m pipeline sync"
            name = run.data.tags.get("dvc.exp_name", "") if run else ""
            yield key, str(seed), "" if cer is None else f"{cer:.2%}", md5, run_id, name


def main() -> None:
    """Print the table."""
    table = [COLUMNS, *read_rows()]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
