"""Rebuild missing MLflow runs from DVC's outputs.

    python -m pipeline sync

MLflow's store can be deleted at any time. This command makes a run for every checkpoint without one, and adds test
metrics to runs that lack them. If all experiments are compared, it also logs the comparison and registers the best
model. A second call changes nothing.
"""

from collections.abc import Iterator
from pathlib import Path

from pipeline.common import paths
from pipeline.settings.base import read_params
from pipeline.settings.experiment import read_experiment
from pipeline.settings.project import check_project
from pipeline.tracking.comparisons import sync_comparison
from pipeline.tracking.dvc_outputs import read_comparison, read_evaluation
from pipeline.tracking.evaluations import Evaluation, sync

REPORTS = Path("reports")


def main() -> None:
    """Sync every trained experiment of `params.yaml`."""
    experiments = check_project(read_params()).experiments
    sync(evaluation for key in experiments for evaluation in read_trainings(key))
    seeds = {key: read_experiment(key)[1].seeds for key in experiments}
    needed = [paths.checkpoint(key, seed) for key in experiments for seed in seeds[key]]
    needed += [REPORTS / "comparison.csv", *(paths.metrics(key) for key in experiments)]
    if all(path.exists() for path in needed):
        sync_comparison(read_comparison(experiments, seeds, REPORTS))


def read_trainings(key: str) -> Iterator[Evaluation]:
    """What the trainings of one experiment left, those of the settings that are there."""
    experiment, training = read_experiment(key)
    for seed in training.seeds:
        if paths.checkpoint(key, seed).exists() and paths.history(key).exists():
            yield read_evaluation(key, experiment, training, seed)
