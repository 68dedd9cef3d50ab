"""Trials of a search. The DVC that they start is a stand-in."""

import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from pipeline.studies import trials as module
from pipeline.studies.trials import Value, ensure_parent_run, measure_by_dvc, read_lowest_rate
from pipeline.tracking.start import start_run
from pipeline.tracking.store import Store
from tests.tracking.conftest import copy_store, root, store

__all__ = ["copy_store", "root", "store"]

HISTORY = "seed,epoch,val_cer\n1,0,0.5\n1,1,0.25\n1,2,0.375\n2,0,0.5\n2,1,0.75\n"


def test_a_trial_is_a_dvc_experiment_and_a_child_in_mlflow(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def train(*command: str, goes_on: object) -> None:
        commands.append(command)
        monkeypatch.setenv("DVC_EXP_NAME", command[command.index("--name") + 1])
        with start_run("own", {}, {}) as run:
            for epoch, cer in enumerate((0.5, 0.25, 0.375)):
                run.log_epoch(epoch, {"val_cer": cer})
                assert goes_on()  # type: ignore[operator]

    seen: list[list[float]] = []
    parent = ensure_parent_run(store, "search-own")
    assert ensure_parent_run(store, "search-own") == parent
    monkeypatch.setattr(module, "_dvc", train)
    monkeypatch.setattr(module, "read_lowest_rate", lambda key, name: 0.25)
    values: dict[str, Value] = {"training.learning_rate": 0.01, "model.name": "x"}
    assert (
        measure_by_dvc("own", store, parent)("search-own-0", values, lambda rates: bool(seen.append([*rates]))) == 0.25
    )
    assert seen == [[0.5], [0.5, 0.25], [0.5, 0.25, 0.375]]
    assert list(commands[0]) == [
        *("exp", "run", "--temp", "--name", "search-own-0"),
        *("-S", "++experiments.own.training.learning_rate=0.01", "-S", '++experiments.own.model.name="x"'),
        "train@own",
    ]
    (child,) = store.client.search_runs([store.experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'")
    assert child.info.run_name == "own (search-own-0)"


def test_the_lowest_rate_is_the_mean_over_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: str, rev: str) -> str:
        assert (path, rev) == ("history/own.csv", "trial-0")
        return HISTORY

    import dvc.api

    monkeypatch.setattr(dvc.api, "read", read)
    assert read_lowest_rate("own", "trial-0") == (0.25 + 0.5) / 2


def test_the_training_of_a_hopeless_trial_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the training gets the signal: DVC ends by itself when its stage has failed, and cleans up."""
    (tmp_path / "dvc.py").write_text(
        "import subprocess, sys\n"
        "status = subprocess.call([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open('cleaned', 'w').write(str(status))\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(module, "POLL", 0.5)
    looks = []

    def goes_on() -> bool:
        looks.append(1)
        return len(looks) < 3

    with pytest.raises(optuna.TrialPruned):
        module._dvc("exp", goes_on=goes_on)
    assert (tmp_path / "cleaned").read_text() == "-15"

    (tmp_path / "dvc.py").write_text("raise SystemExit(3)")
    with pytest.raises(subprocess.CalledProcessError) as error:
        module._dvc("exp", "run", goes_on=lambda: True)
    assert (error.value.returncode, error.value.cmd) == (3, [sys.executable, "-m", "dvc", "exp", "run"])
