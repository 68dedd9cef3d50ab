"""Rebuild MLflow's view from what DVC keeps: `python -m pipeline.sync`.

MLflow's store can be deleted at any time. This makes a run for every experiment that has a
checkpoint, and adds test metrics to runs that lack them; then the comparison and the registered
best model, if all experiments are compared. A second call changes nothing.
"""

from pathlib import Path

from pipeline import paths
from pipeline.errors import exit_on_input_error
from pipeline.experiment_record import comparison_of, evaluation_of
from pipeline.settings.base import read_params
from pipeline.settings.experiment import read_experiment
from pipeline.settings.project import check_project
from pipeline.tracking import sync, sync_comparison

REPORTS = Path("reports")


def main() -> None:
    """Bring in every experiment of `params.yaml` that was trained."""
    experiments = check_project(read_params()).experiments
    trained = [key for key in experiments if paths.checkpoint(key).exists() and paths.history(key).exists()]
    sync(evaluation_of(key, *read_experiment(key)) for key in trained)
    compared = (REPORTS / "comparison.csv").exists() and all(paths.metrics(key).exists() for key in experiments)
    if compared and len(trained) == len(experiments):
        sync_comparison(comparison_of(experiments, REPORTS))


if __name__ == "__main__":
    exit_on_input_error(main)
