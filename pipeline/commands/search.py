"""Search for better settings of one experiment.

    python -m pipeline search resnet_lstm_ctc_variable_short reports/studies/search/space.yaml --trials 20

Each trial is a DVC experiment in a temporary copy, which only trains. Trials are compared by their lowest CER on
validation lines; test lines are not used. A trial is stopped early if its CER is above the median of the others at the
same epoch. In MLflow the trials are children of one run, the search. `search.db` stores the trials: a second call adds
more.

Any number of searches can work on one study, also on several machines, if all name its database:

    python -m pipeline search … --storage postgresql://me@host/searches --study wide
"""

import argparse
import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import optuna
from optuna.exceptions import StorageInternalError
from pydantic import Field, TypeAdapter, ValidationError

from pipeline.common.errors import InputError
from pipeline.common.files import project_root
from pipeline.runtime.processes import terminate_children_on_sigterm
from pipeline.settings.base import Settings, read_params
from pipeline.settings.experiment import read_experiment
from pipeline.studies.searches import open_study
from pipeline.studies.trials import Measure, Value, ensure_parent_run, judge, measure_by_dvc
from pipeline.tracking.artifacts import sqlite_uri
from pipeline.tracking.store import Store, open_store
from pipeline.tracking.store_errors import first_line, mask, raise_input_error

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


def search(
    study: optuna.Study, space: Space, trials: int, measure: Measure, wait: Callable[[], None] = lambda: None
) -> None:
    """Run so many more trials. If a training fails, its trial counts as failed, and the search goes on.

    `wait` returns when the study's database answers.
    """

    given_up = False

    def objective(trial: optuna.Trial) -> float:
        nonlocal given_up
        values = {key: _draw(trial, key, space[key]) for key in space}
        try:
            return measure(f"{study.study_name}-{trial.number}", values, judge(trial))
        finally:
            wait()
            given_up = study.get_trials(deepcopy=False)[trial.number].state.is_finished()

    for _ in range(trials):
        wait()
        try:
            study.optimize(objective, n_trials=1, catch=(subprocess.CalledProcessError,))
        except (AssertionError, ValueError):  # Optuna's own, about the end of a trial that has ended
            if not given_up:
                raise
            print("search: another search had given this trial up: the study had no sign of life from it for too long")


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
    parser.add_argument("--seed", type=int, help="seed of the random choice of settings; by default another each time")
    parser.add_argument(
        "--storage",
        default=os.environ.get("OPTUNA_STORAGE"),
        help=f"address of the study's database; by default $OPTUNA_STORAGE, else {SEARCHES} in the project",
    )
    parser.add_argument("--study", help="name of the study; by default search-<experiment>")
    parser.add_argument("--no-prune", dest="prune", action="store_false", help="train every trial to its end")


def main(
    experiment: str, space: Path, trials: int, seed: int | None, storage: str | None, study: str | None, prune: bool
) -> None:
    """Run the trials, and print the best settings."""
    terminate_children_on_sigterm()
    name = study or f"search-{experiment.replace('_', '-')}"
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", name):
        raise InputError(f"--study: {name}: must be letters, digits, `-` and `_`: it names DVC's experiments")
    epochs = read_experiment(experiment)[1].max_epochs
    content, store = read_space(space), open_store()
    url = storage or sqlite_uri(project_root() / SEARCHES)
    opened, database = open_study(url, name, seed, warmup=epochs // 3 if prune else epochs)
    with raise_input_error(store.address):
        parent = ensure_parent_run(store, name)
    try:
        search(opened, content, trials, measure_by_dvc(experiment, store, parent), database.wait)
        _report(opened, store, parent, experiment)
    except StorageInternalError as error:
        raise InputError(
            f"search: {mask(url)} does not answer ({first_line(error)}); the same command goes on"
        ) from None


def _report(study: optuna.Study, store: Store, parent: str, experiment: str) -> None:
    done = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    if not done:
        raise InputError(f"search: no trial of {experiment} succeeded; see what it printed")
    with suppress(Exception):  # Of any kind: the study has it.
        store.client.log_metric(parent, "val_cer", study.best_value)
    print(f"search: best of {len(done)}: validation CER {study.best_value:.2%} with")
    for setting, value in study.best_params.items():
        print(f"  experiments.{experiment}.{setting}={json.dumps(value)}")
