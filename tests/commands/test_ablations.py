"""Plans of ablations, the settings that they give, and a complete study on tiny data."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image
from ruamel.yaml import YAML

from pipeline.commands.ablations import Plan, planned_params, read_plan
from pipeline.common.errors import InputError
from pipeline.orchestration.workspace import fill_workspace
from pipeline.settings.base import read_params
from pipeline.studies.variants_report import describe_changes
from tests.imports import ROOT
from tests.projects import profile_params

SHIPPED = [ROOT / "reports/studies" / name / "plan.yaml" for name in ("ablations", "ablations_models")]
"""Plans; the report of each is beside it."""


def plan(**keys: Any) -> Plan:
    given = {"experiment": "cnn_ctc_variable", "seeds": [1, 2], "changes": {"wide": {"model.conv_dim": 64}}, **keys}
    return Plan.model_validate(given)


def write(path: Path, **keys: Any) -> Path:
    given = {"experiment": "cnn_ctc_variable", "seeds": [1, 2], "changes": {"wide": {"model.conv_dim": 64}}, **keys}
    YAML().dump({key: value for key, value in given.items() if value is not ...}, path)
    return path


def test_the_planned_settings_have_only_the_variants_and_their_lines() -> None:
    params = read_params(ROOT / "params.yaml")
    made = planned_params(
        params, plan(settings={"training.max_epochs": 3}, changes={"wide": {"model.conv_dim": 64}, "same": {}})
    )
    assert list(made["experiments"]) == ["base", "wide", "same"]
    assert made["lines"] == {"variable": params["lines"]["variable"]}
    assert made["decoding"] == {}
    assert [block["training"] for block in made["experiments"].values()] == [{"max_epochs": 3, "seeds": [1, 2]}] * 3
    assert [block["model"]["conv_dim"] for block in made["experiments"].values()] == [32, 64, 32]
    assert params == read_params(ROOT / "params.yaml")


@pytest.mark.parametrize("path", SHIPPED)
def test_a_shipped_plan_is_valid_and_has_each_combined_change_also_alone(path: Path) -> None:
    shipped = read_plan(path)
    made = planned_params(read_params(ROOT / "params.yaml"), shipped)["experiments"]
    assert list(made) == ["base", *shipped.changes]
    assert len({str(block) for block in made.values()}) == len(made)
    alone = [dict(changes) for changes in shipped.changes.values() if len(changes) == 1]
    for changes in shipped.changes.values():
        assert all({key: value} in alone for key, value in changes.items())


@pytest.mark.parametrize("path", SHIPPED)
def test_a_committed_report_matches_its_plan(path: Path) -> None:
    shipped, report = read_plan(path), path.parent / "ablations.md"
    table = pd.read_csv(report.with_suffix(".csv"), keep_default_na=False)
    assert dict(zip(table["experiment"], table["changed"], strict=True)) == {
        "base": "",
        **{name: describe_changes(changes) for name, changes in shipped.changes.items()},
    }
    assert [column for column in table if column.startswith("seed_")] == [f"seed_{seed}" for seed in shipped.seeds]
    page = report.read_text(encoding="utf-8")
    assert f"each setting of `{shipped.experiment}`" in page
    assert f"`{describe_changes(shipped.settings)}`" in page


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"seeds": [1]}, "seeds: "),
        ({"seeds": [1, 1]}, "seeds: must name each seed once"),
        ({"changes": {}}, "changes: "),
        ({"changes": {"Wide!": {}}}, "changes.Wide!"),
        ({"changes": {"base": {}}}, "base: `base` is reserved for the unchanged experiment; rename this change"),
        ({"changes": ...}, "changes: "),
        ({"change": {}}, "change: unknown; did you mean changes?"),
    ],
)
def test_a_faulty_plan_is_refused_by_name(keys: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "plan.yaml", **keys)
    with pytest.raises(InputError) as error:
        read_plan(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"experiment": "cnn"}, "experiment: cnn: unknown; "),
        ({"changes": {"wide": {"model.conv_dims": 4}}}, "experiments.wide.model.conv_dims: unknown; did you mean"),
        ({"changes": {"wide": {"training.batch_size": 0}}}, "experiments.wide.training.batch_size: "),
        ({"settings": {"loss": "x"}}, "experiments.base.loss: "),
        ({"settings": {"loss.x": 1}}, "experiments.base.loss: "),
    ],
)
def test_a_change_that_is_not_valid_is_refused_before_anything_is_trained(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        planned_params(read_params(ROOT / "params.yaml"), plan(**keys))
    assert message in str(error.value)


def test_a_whole_plan_on_tiny_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_python: str) -> None:
    """The real command, in a project that has made its characters already."""
    monkeypatch.setenv("PATH", quick_python, prepend=os.pathsep)
    fill_workspace(ROOT, tmp_path / "project", profile_params("tiny"))
    project = tmp_path / "project"
    (project / "mine").mkdir()
    changes = {"small": {"model.conv_dim": 2}}
    write(project / "mine/plan.yaml", settings={"training.learning_rate": 0.01}, changes=changes)
    plan_command = [sys.executable, "-m", "pipeline", "ablations", "mine/plan.yaml", "--jobs", "2"]
    for command in ([sys.executable, "-m", "dvc", "repro", "--quiet", "download"], plan_command):
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "/mine/ablations.md" in done.stdout.split("ablations: see ")[1]
    assert "download: " not in done.stdout  # it came from the project's cache
    table = pd.read_csv(project / "mine/ablations.csv", keep_default_na=False)
    assert table["experiment"].tolist() == ["base", "small"]
    assert table["changed"].tolist() == ["", "model.conv_dim: 2"]
    assert {"seed_1", "seed_2"} <= set(table)
    made = sorted(path.name for path in (project / "mine").iterdir())
    assert made == ["ablations.csv", "ablations.md", "ablations.png", "plan.yaml"]
    Image.open(project / "mine/ablations.png").verify()
    assert not (project / "models").exists()
    assert not (project / "reports").exists()
