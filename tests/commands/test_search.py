import subprocess
from collections.abc import Mapping
from pathlib import Path

import optuna
import pytest

from pipeline.commands import search as module
from pipeline.commands.search import Choices, Range, Value, ensure_parent_run, measure_by_dvc, read_space, search
from pipeline.common.errors import InputError
from pipeline.settings.base import read_params
from pipeline.settings.project import check_project
from pipeline.tracking.start import start_run
from pipeline.tracking.store import open_store
from tests.imports import ROOT
from tests.tracking.conftest import use_root

SPACE = {
    "training.learning_rate": Range(low=0.001, high=0.1, log=True),
    "model.lstm_layers": Range(low=1, high=3),
    "training.optimizer": Choices(choices=["adam", "adamw"]),
}


def study(seed: int = 0) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(study_name="search-own", sampler=optuna.samplers.TPESampler(seed=seed))


def test_trials_stay_within_the_space_and_the_best_is_found() -> None:
    tried: dict[str, Mapping[str, Value]] = {}

    def measure(name: str, values: Mapping[str, Value]) -> float:
        tried[name] = values
        return abs(float(values["training.learning_rate"] or 0) - 0.01) + float(values["model.lstm_layers"] or 0)

    found = study()
    search(found, SPACE, 30, measure)
    assert list(tried) == [f"search-own-{number}" for number in range(30)]
    assert all(0.001 <= values["training.learning_rate"] <= 0.1 for values in tried.values())  # type: ignore[operator]
    assert {values["model.lstm_layers"] for values in tried.values()} == {1, 2, 3}
    assert {values["training.optimizer"] for values in tried.values()} == {"adam", "adamw"}
    assert found.best_params["model.lstm_layers"] == 1
    assert found.best_params["training.learning_rate"] == pytest.approx(0.01, abs=0.01)


def test_a_training_that_fails_does_not_end_the_search() -> None:
    def measure(name: str, _values: Mapping[str, Value]) -> float:
        if name.endswith("-1"):
            raise subprocess.CalledProcessError(1, "dvc")
        return 0.5

    found = study()
    search(found, SPACE, 3, measure)
    assert [trial.state.name for trial in found.trials] == ["COMPLETE", "FAIL", "COMPLETE"]


def test_a_trial_is_a_dvc_experiment_and_a_child_in_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_root(monkeypatch, tmp_path)
    commands = []

    def train(*command: str) -> None:
        commands.append(command)
        monkeypatch.setenv("DVC_EXP_NAME", command[command.index("--name") + 1])
        with start_run("own", {}, {}) as run:
            for epoch, cer in enumerate((0.5, 0.25, 0.375)):
                run.log_epoch(epoch, {"val_cer": cer})

    store = open_store()
    parent = ensure_parent_run(store, "search-own")
    assert ensure_parent_run(store, "search-own") == parent
    monkeypatch.setattr(module, "_dvc", train)
    values: dict[str, Value] = {"training.learning_rate": 0.01, "model.name": "x"}
    assert measure_by_dvc("own", store, parent)("search-own-0", values) == 0.25
    assert list(commands[0]) == [
        *("exp", "run", "--temp", "--name", "search-own-0"),
        *("-S", "++experiments.own.training.learning_rate=0.01", "-S", '++experiments.own.model.name="x"'),
        "train@own",
    ]
    (child,) = store.client.search_runs([store.experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'")
    assert child.info.run_name == "own (search-own-0)"


def test_a_space_is_read_and_checked(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text("a.b: {low: 1, high: 2.5, log: true}\nc: {choices: [adam, null, 3]}\n")
    assert read_space(file) == {"a.b": Range(low=1, high=2.5, log=True), "c": Choices(choices=["adam", None, 3])}
    file.write_text("a.b: {low: 1}\n")
    with pytest.raises(InputError, match=r"space\.yaml: a\.b: must have `low` and `high`, or `choices`$"):
        read_space(file)


def test_the_shipped_space_has_valid_keys_and_values() -> None:
    params = read_params(ROOT / "params.yaml")
    for setting, space in read_space(ROOT / "reports/studies/search/space.yaml").items():
        *parents, key = setting.split(".")
        block = params["experiments"]["resnet_lstm_ctc_variable_short"]
        for parent in parents:
            block = block[parent]
        block[key] = space.choices[0] if isinstance(space, Choices) else space.high
    check_project(params)
