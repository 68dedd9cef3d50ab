import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import optuna
import pytest

from pipeline.commands.search import Choices, Range, main, read_space, search
from pipeline.common.errors import InputError
from pipeline.settings.base import read_params
from pipeline.settings.project import check_project
from pipeline.studies.trials import IsHopeless, Value
from tests.imports import ROOT

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

    def measure(name: str, values: Mapping[str, Value], _is_hopeless: IsHopeless) -> float:
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
    def measure(name: str, _values: Mapping[str, Value], _is_hopeless: IsHopeless) -> float:
        if name.endswith("-1"):
            raise subprocess.CalledProcessError(1, "dvc")
        return 0.5

    found = study()
    search(found, SPACE, 3, measure)
    assert [trial.state.name for trial in found.trials] == ["COMPLETE", "FAIL", "COMPLETE"]


def test_a_hopeless_trial_is_pruned() -> None:
    epochs: dict[str, int] = {}

    def measure(name: str, _values: Mapping[str, Value], is_hopeless: IsHopeless) -> float:
        rates = [0.5, 0.25, 0.125]
        if name == "search-own-5":
            rates = [0.5, 0.5, 0.5]
        for epochs[name] in range(1, 4):
            if is_hopeless(rates[: epochs[name]]):
                raise optuna.TrialPruned
        return min(rates)

    found = optuna.create_study(study_name="search-own", pruner=optuna.pruners.MedianPruner(5, 1))
    search(found, SPACE, 6, measure)
    assert [trial.state.name for trial in found.trials] == ["COMPLETE"] * 5 + ["PRUNED"]
    assert epochs["search-own-5"] == 2
    assert found.trials[5].intermediate_values == {0: 0.5, 1: 0.5}


def test_a_trial_that_was_given_up_meanwhile_does_not_end_the_search(capsys: pytest.CaptureFixture[str]) -> None:
    found = study()

    def measure(name: str, _values: Mapping[str, Value], _is_hopeless: IsHopeless) -> float:
        if name == "search-own-0":
            found._storage.set_trial_state_values(0, optuna.trial.TrialState.FAIL)
        return 0.5

    search(found, SPACE, 2, measure)
    assert [trial.state.name for trial in found.trials] == ["FAIL", "COMPLETE"]
    assert "had given this trial up" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("storage", "study_name", "problem"),
    [
        ("sqlite:///s.db", "a/b", "--study: a/b: must be letters, digits"),
        ("postgres//me:s3cret@host/db", None, "--storage: postgres//me:s3cret@host/db cannot be used"),
        ("nothing://me:s3cret@host/db", None, "--storage: nothing://me:***@host/db cannot be used"),
        (
            "sqlite:////nowhere/at/all.db",
            None,
            "--storage: sqlite:////nowhere/at/all.db cannot be used (unable",
        ),
    ],
)
def test_a_storage_that_cannot_be_used_is_refused(
    storage: str, study_name: str | None, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(ROOT)
    space = ROOT / "reports/studies/search/space.yaml"
    with pytest.raises(InputError, match=f"^{re.escape(problem)}"):
        main("resnet_lstm_ctc_variable_short", space, 1, None, storage, study_name, prune=True)


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
