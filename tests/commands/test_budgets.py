"""Plans of budgets, the settings that they give, and a complete study on tiny data."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image
from ruamel.yaml import YAML

from pipeline.commands.budgets import Plan, planned_params, read_plan
from pipeline.common.errors import InputError
from pipeline.orchestration.workspace import fill_workspace
from pipeline.settings.base import read_params
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings, merge_training
from pipeline.studies.variants_report import describe_changes
from tests.imports import ROOT
from tests.projects import profile_params

SHIPPED = [ROOT / "reports/studies" / name / "plan.yaml" for name in ("budgets", "budgets_lstm")]
"""Plans; the report of each is beside it."""
KEYS: dict[str, Any] = {
    "experiment": "cnn_ctc_variable",
    "decoding": "cnn_ctc_variable_beam",
    "seeds": [1],
    "budgets": {"long": {"training.max_epochs": 2}, "short": {"training.max_epochs": 1}},
}


def write(path: Path, **keys: Any) -> Path:
    YAML().dump({key: value for key, value in {**KEYS, **keys}.items() if value is not ...}, path)
    return path


def test_each_budget_is_trained_and_decoded_by_beam_search() -> None:
    plan = Plan.model_validate({**KEYS, "seeds": [1, 2], "settings": {"model.conv_dim": 8}})
    made = planned_params(read_params(ROOT / "params.yaml"), plan)
    trainings = {name: block["training"] for name, block in made["experiments"].items()}
    assert trainings == {"long": {"seeds": [1, 2], "max_epochs": 2}, "short": {"seeds": [1, 2], "max_epochs": 1}}
    assert [block["model"]["conv_dim"] for block in made["experiments"].values()] == [8, 8]
    assert [block["experiment"] for block in made["decoding"].values()] == ["long", "short"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"seeds": []}, "seeds: "),
        ({"budgets": {}}, "budgets: "),
        ({"decoding": ...}, "decoding: "),
        ({"budget": {}}, "budget: unknown; did you mean budgets?"),
    ],
)
def test_a_faulty_plan_is_refused_by_name(keys: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "plan.yaml", **keys)
    with pytest.raises(InputError) as error:
        read_plan(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)


@pytest.mark.parametrize("plan", SHIPPED)
def test_the_shipped_budgets_differ_in_their_number_of_lines(plan: Path) -> None:
    params = read_params(ROOT / "params.yaml")
    seen = set()
    made = planned_params(params, read_plan(plan))["experiments"]
    for block in made.values():
        experiment = ExperimentSettings.model_validate(block)
        training = TrainingSettings.model_validate(merge_training(experiment, params["training"]))
        assert training.endless is not None
        seen.add(training.max_epochs * training.endless.lines_per_epoch)
    assert len(seen) == len(made)


@pytest.mark.parametrize("plan", SHIPPED)
def test_a_committed_report_matches_its_plan(plan: Path) -> None:
    shipped, report = read_plan(plan), plan.parent / "budgets.md"
    table = pd.read_csv(report.with_suffix(".csv"), keep_default_na=False)
    assert dict(zip(table["experiment"], table["settings"], strict=True)) == {
        name: describe_changes(changes) for name, changes in shipped.budgets.items()
    }
    page = report.read_text(encoding="utf-8")
    assert f"# What `{shipped.experiment}` reaches" in page
    assert f"`{describe_changes(shipped.settings)}`" in page


def test_a_whole_plan_on_tiny_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_python: str) -> None:
    """The real command."""
    project = tmp_path / "project"
    monkeypatch.setenv("PATH", quick_python, prepend=os.pathsep)
    fill_workspace(ROOT, project, profile_params("tiny"))
    budgets = {"only": {"training.max_epochs": 2, "training.endless.lines_per_epoch": 30}}
    write(project / "plan.yaml", seeds=[2, 1], budgets=budgets)
    command = [sys.executable, "-m", "pipeline", "budgets", "plan.yaml", "--output", "elsewhere"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "budgets: see " in done.stdout
    (row,) = pd.read_csv(project / "elsewhere/budgets.csv").to_dict("records")
    assert (row["experiment"], row["lines"]) == ("only", 60)
    trainings = pd.read_csv(project / "elsewhere/budgets_by_seed.csv")
    assert list(zip(trainings["experiment"], trainings["seed"], strict=True)) == [("only", 2), ("only", 1)]
    for rate in ("test_cer", "test_cer_folded", "test_cer_beam"):
        assert row[rate] == pytest.approx(trainings[rate].mean(), abs=1e-6)
    assert 0 < row["test_cer_beam"] < 2
    made = sorted(path.name for path in (project / "elsewhere").iterdir())
    assert made == ["budgets.csv", "budgets.md", "budgets.png", "budgets_by_seed.csv"]
    assert f"- `only`: `{describe_changes(budgets['only'])}`\n" in (project / "elsewhere/budgets.md").read_text()
    Image.open(project / "elsewhere/budgets.png").verify()
    assert not (project / "models").exists()
