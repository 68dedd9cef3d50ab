"""Searches that share a study in PostgreSQL: they begin at once, one is killed, and the database restarts."""

import contextlib
import gc
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import optuna
import pytest

from pipeline.common.errors import InputError
from pipeline.studies import searches as module
from pipeline.studies.searches import Storage, open_study
from pipeline.studies.trials import read_lowest_rate
from tests.end_to_end.workspace import Workspace
from tests.services.postgres import PASSWORD, Postgres
from tests.tracking.conftest import python_environment

pytestmark = pytest.mark.services
SEARCHES, TRIALS, WAIT = 3, 3, 120
TRAINED = "simple_ce_aligned"


def start(address: str, trials: int, folder: Path) -> "subprocess.Popen[str]":
    folder.mkdir()
    command = [sys.executable, "-m", "tests.services.searching", address, str(trials), str(folder)]
    return subprocess.Popen(command, env=python_environment(folder), stderr=subprocess.PIPE, text=True)


def wait_for_trials(number: int, *folders: Path) -> None:
    deadline = time.monotonic() + WAIT
    while sum(len(list(folder.iterdir())) for folder in folders) < number:
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_searches_share_a_study(postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    postgres.create_database("searches")
    address, slow = postgres.address("searches"), tmp_path / "slow"
    folders = [tmp_path / str(number) for number in range(SEARCHES)]
    searches = [start(address, TRIALS, folder) for folder in folders]
    killed = start(address, 1, slow)
    try:
        wait_for_trials(1, slow)
        killed.kill()
        wait_for_trials(SEARCHES, *folders)
        postgres.stop()
        time.sleep(2)
        postgres.start()
        errors = [search.communicate(timeout=WAIT)[1] for search in searches]
    finally:
        for search in (killed, *searches):
            search.kill()
            search.communicate()
    assert [search.returncode for search in searches] == [0] * SEARCHES, errors
    monkeypatch.setattr(module, "GRACE", 1)
    time.sleep(2)
    study, database = open_study(address, "shared", None, warmup=0)
    optuna.storages.fail_stale_trials(study)  # as a search does before each trial
    states = [trial.state.name for trial in study.trials]
    assert sorted(states) == ["COMPLETE"] * SEARCHES * TRIALS + ["FAIL"], errors
    (given_up,) = slow.iterdir()
    assert given_up.name == f"shared-{states.index('FAIL')}"
    names = [path.name for folder in (slow, *folders) for path in folder.iterdir()]
    assert sorted(names) == sorted(f"shared-{number}" for number in range(len(states)))
    values = [trial.value for trial in study.trials if trial.value is not None]
    assert len(set(values)) == len(values)  # each search draws numbers of its own
    close(study, database)


def test_two_clones_train_for_one_study(
    trained: Workspace, postgres: Postgres, environment: dict[str, str], tmp_path: Path
) -> None:
    """With trainings of the pipeline; each clone has an MLflow store of its own."""
    postgres.create_database("real")
    address = postgres.address("real")
    (tmp_path / "space.yaml").write_text("training.learning_rate: {low: 0.0001, high: 0.01, log: true}\n")
    command = [sys.executable, "-m", "pipeline", "search", TRAINED, str(tmp_path / "space.yaml")]
    command += ["--trials", "2", "--study", "real", "--storage", address]
    clones = [Path(shutil.copytree(trained.root, tmp_path / name)) for name in ("first", "second")]
    running = [
        subprocess.Popen(
            command, cwd=clone, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for clone in clones
    ]
    try:
        outputs = [search.communicate(timeout=900)[0] for search in running]
    finally:
        for search in running:
            search.kill()
            search.communicate()
    assert [search.returncode for search in running] == [0, 0], outputs
    study, database = open_study(address, "real", None, warmup=0)
    trials = study.trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 4, outputs
    assert len({trial.params["training.learning_rate"] for trial in trials}) == 4
    experiments = {f"real-{trial.number}": trial.value for trial in trials}
    for clone in clones:
        own = subprocess.run(
            ["dvc", "exp", "list", "--name-only"],
            cwd=clone,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        assert len(own) == 2
        with contextlib.chdir(clone):
            assert [read_lowest_rate(TRAINED, name) for name in own] == [experiments.pop(name) for name in own]
    assert not experiments
    close(study, database)


def close(study: optuna.Study, database: Storage) -> None:
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        database.remove_session()
        database.engine.dispose()
        del study, database  # Optuna leaves connections open
        gc.collect()


def test_a_wrong_password_is_refused_and_not_shown(postgres: Postgres) -> None:
    wrong = f"not-{PASSWORD}"
    with pytest.raises(InputError, match=r"^--storage: .*password authentication failed") as error:
        open_study(postgres.address("postgres", password=wrong), "shared", None, warmup=0)
    assert PASSWORD not in str(error.value)
