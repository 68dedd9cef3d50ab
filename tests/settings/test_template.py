"""What the templates of `dvc.yaml` need of `params.yaml`, against DVC's own resolver."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from dvc.parsing import DataResolver
from dvc.repo import Repo
from ruamel.yaml import YAML

from pipeline.settings.template import template_problems
from tests.imports import ROOT
from tests.projects import profile_params

MISSING = object()
FIRST, SECOND, THIRD = "cnn_ctc_matched", "cnn_ctc_variable", "lstm_ctc_variable"


def changed(edits: dict[str, object]) -> dict[str, Any]:
    params = profile_params("tiny")
    for path, value in edits.items():
        *blocks, key = path.split("/")
        block = params
        for name in blocks:
            block = block[name]
        if value is MISSING:
            del block[key]
        else:
            block[key] = value
    return params


@pytest.mark.parametrize("value", [MISSING, None, 5, ["x"]], ids=["missing", "null", "a number", "a list"])
@pytest.mark.parametrize(
    "path",
    [
        "emnist/archive",
        "corpus/archive",
        f"experiments/{FIRST}/load",
        f"experiments/{FIRST}/lines",
        f"decoding/{SECOND}_beam/experiment",
        f"decoding/{SECOND}_beam/language_model",
    ],
)
def test_what_dvc_cannot_put_into_a_path_is_named(path: str, value: object) -> None:
    (problem,) = template_problems(changed({path: value}))
    assert problem.startswith(f"{path.replace('/', '.')}: must be ")


def test_experiments_without_the_key_share_one_line() -> None:
    edits: dict[str, object] = {f"experiments/{name}/load": MISSING for name in (FIRST, SECOND)}
    (problem,) = template_problems(changed(edits))
    assert problem.startswith(f"experiments.{FIRST}.load, experiments.{SECOND}.load: must be the path of a checkpoint")


def test_weights_that_lead_in_a_circle_are_named() -> None:
    loads: dict[str, object] = {
        f"experiments/{FIRST}/load": f"models/{SECOND}/seed_42.ckpt",
        f"experiments/{SECOND}/load": f"models/{THIRD}/seed_42.ckpt",
    }
    assert list(template_problems(changed(loads))) == []
    loads[f"experiments/{THIRD}/load"] = f"models/{FIRST}/seed_42.ckpt"
    problems = list(template_problems(changed(loads)))
    assert len(problems) == 3
    assert f"experiments.{FIRST}.load: starts from its own weights, by {SECOND} and {THIRD} and {FIRST}" in problems[0]


@pytest.mark.parametrize("content", [{}, {"experiments": None}, {"experiments": {"a": None}}, {"emnist": 5}])
def test_files_without_the_sections_are_described_too(content: dict[str, Any]) -> None:
    assert any(problem.startswith("emnist.archive: ") for problem in template_problems(content))


def test_the_shipped_settings_fill_the_templates_with_dependencies(tmp_path: Path) -> None:
    load, archive = f"models/{SECOND}/seed_42.ckpt", "/somewhere/gzip.zip"
    params = changed({f"experiments/{FIRST}/load": load, "emnist/archive": archive})
    assert list(template_problems(params)) == []
    YAML().dump(params, tmp_path / "params.yaml")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    with Repo.init(str(tmp_path), no_scm=True) as repo:
        resolver = DataResolver(repo, str(tmp_path), YAML(typ="safe").load(tmp_path / "dvc.yaml"))
        stages = resolver.resolve()["stages"]
    assert load in stages[f"train@{FIRST}"]["deps"]
    assert "data/none" in stages[f"train@{SECOND}"]["deps"]
    assert archive in stages["download"]["deps"]
    assert "data/none" in stages["corpus"]["deps"]
