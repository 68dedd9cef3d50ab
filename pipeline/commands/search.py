"""Search for better settings of one experiment.

    python -m pipeline search resnet_lstm_ctc_variable_short reports/studies/search/space.yaml --trials 20

Each trial is a DVC experiment in a temporary copy, which only trains. Trials are compared by their lowest CER on
validation lines; test lines are not used. In MLflow the trials are children of one run, the search. `search.db` stores
the trials: a second call adds more.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, TypeAdapter, ValidationError

from pipeline.common.errors import InputError
from pipeline.common.files import project_root
from pipeline.runtime.processes import terminate_children_on_sigterm
from pipeline.settings.base import Settings, read_params
from pipeline.settings.experiment import read_experiment
from pipeline.tracking.artifacts import sqlite_uri
from pipeline.tracking.store import Store, open_store

if TYPE_CHECKING:
    import optuna

Value = bool | int | float | str | None
SEARCHES = "search.db"


class Range(Settings):
    """Numbers from `low` to `high`; integers if both are."""

    low: int | float
    high: int | float
    log: bool = False
    """Draw on a logarithmic scale."""


class Choices(Settings):
    """One of a few values."""

    choices: Annotated[list[Value], Field(min_length=1)]


Space = Mapping[str, Range | Choices]
"""The values to try for each key of an experiment, such as `training.learning_rate`."""
Measure = Callable[[str, Mapping[str, Value]], float]


def read_space(path: Path) -> Space:
    """Read a search space.

    Raises:
        InputError: no such file, or a key has neither a range nor choices.
    """
    content = read_params(path)
    try:
        return TypeAdapter(dict[str, Range | Choices]).validate_python(content)
    except ValidationError as error:
        key = error.errors()[0]["loc"][0]
        raise InputError(f"{path}: {key}: must have `low` and `high`, or `choices`") from None


def search(study: "optuna.Study", space: Space, trials: int, measure: Measure) -> None:
    """Run so many more trials. If a training fails, its trial counts as failed, and the search goes on."""

    def objective(trial: "optuna.Trial") -> float:
        return measure(f"{study.study_name}-{trial.number}", {key: _draw(trial, key, space[key]) for key in space})

    study.optimize(objective, n_trials=trials, catch=(subprocess.CalledProcessError,))


def measure_by_dvc(key: str, store: Store, parent: str) -> Measure:
    """A function that trains a trial as a DVC experiment and returns its lowest validation CER, read from MLflow.

    The MLflow run of the trial becomes a child of `parent`.
    """

    def measure(name: str, values: Mapping[str, Value]) -> float:
        changes = [f"++experiments.{key}.{setting}={json.dumps(value)}" for setting, value in values.items()]
        options = [word for change in changes for word in ("-S", change)]
        _dvc("exp", "run", "--temp", "--name", name, *options, f"train@{key}")
        runs = store.client.search_runs([store.experiment_id], f"tags.`dvc.exp_name` = '{name}'")
        if not runs:
            raise InputError(
                f"search: MLflow has no run of {name}: DVC restored its outputs from the cache; change the space"
            )
        store.client.set_tag(runs[0].info.run_id, "mlflow.parentRunId", parent)
        rates = [float(point.value) for point in store.client.get_metric_history(runs[0].info.run_id, "val_cer")]
        return min(rates)

    return measure


def _dvc(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments], check=True)


def ensure_parent_run(store: Store, name: str) -> str:
    """Find or create the search's own MLflow run; return its id."""
    found = store.client.search_runs([store.experiment_id], f"tags.search = '{name}'")
    if found:
        return str(found[0].info.run_id)
    run = store.client.create_run(store.experiment_id, run_name=name, tags={"search": name})
    store.client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def _draw(trial: "optuna.Trial", key: str, space: Range | Choices) -> Value:
    if isinstance(space, Choices):
        chosen: Value = trial.suggest_categorical(key, space.choices)
        return chosen
    if isinstance(space.low, int) and isinstance(space.high, int):
        return trial.suggest_int(key, space.low, space.high, log=space.log)
    return trial.suggest_float(key, space.low, space.high, log=space.log)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument("experiment", help="a key of the section `experiments` of params.yaml")
    parser.add_argument("space", type=Path, help="YAML file with a range or choices for each key")
    parser.add_argument("--trials", type=int, default=20, help="how many trials to add")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random choice of settings")


def main(experiment: str, space: Path, trials: int, seed: int) -> None:
    """Run the trials, and print the best settings."""
    import optuna

    terminate_children_on_sigterm()
    read_experiment(experiment)
    content, name, store = read_space(space), f"search-{experiment.replace('_', '-')}", open_store()
    study = optuna.create_study(
        storage=sqlite_uri(project_root() / SEARCHES),
        sampler=optuna.samplers.TPESampler(seed=seed),
        study_name=name,
        load_if_exists=True,
    )
    parent = ensure_parent_run(store, name)
    search(study, content, trials, measure_by_dvc(experiment, store, parent))
    done = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    if not done:
        raise InputError(f"search: no trial of {experiment} succeeded; see what it printed")
    store.client.log_metric(parent, "val_cer", study.best_value)
    print(f"search: best of {len(done)}: validation CER {study.best_value:.2%} with")
    for setting, value in study.best_params.items():
        print(f"  experiments.{experiment}.{setting}={json.dumps(value)}")
