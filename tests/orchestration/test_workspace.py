import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.common.errors import InputError
from pipeline.orchestration.workspace import apply_profiles, make_workspace, override
from pipeline.report.pages.lecture import RESULTS
from pipeline.settings.base import read_params
from pipeline.settings.project import ProjectSettings, check_project
from tests.imports import ROOT
from tests.projects import profile_params

PARAMS: dict[str, Any] = {
    "seed": 1,
    "lines": {"short": {"train": 10, "words": None}, "long": {"train": 20, "words": [1, 2]}},
}


@pytest.mark.parametrize(
    ("overrides", "result"),
    [
        ({}, PARAMS),
        ({"seed": 2}, {**PARAMS, "seed": 2}),
        (
            {"lines": {"short": {"train": 5}}},
            {"seed": 1, "lines": {"short": {"train": 5, "words": None}, "long": PARAMS["lines"]["long"]}},
        ),
        (
            {"lines": {"*": {"train": 5}, "long": {"train": 6}}},  # what comes later wins
            {"seed": 1, "lines": {"short": {"train": 5, "words": None}, "long": {"train": 6, "words": [1, 2]}}},
        ),
        ({"lines": {"short": None}}, {"seed": 1, "lines": {"long": PARAMS["lines"]["long"]}}),
        ({"lines": {"*": None}}, {"seed": 1, "lines": {}}),
        ({"seed": None}, {**PARAMS, "seed": None}),
        (
            {"lines": {"*": {"*": 0}}},
            {"seed": 1, "lines": {"short": {"train": 0, "words": 0}, "long": {"train": 0, "words": 0}}},
        ),
        ({"lines": {"other": {"train": 5}, "none": None}}, PARAMS),  # users rename and remove blocks
        (
            {"lines": {"*": {"words": 3, "trained": 1}, "long": {"x": 1}}},
            {"seed": 1, "lines": {"short": {"train": 10, "words": 3}, "long": {"train": 20, "words": 3}}},
        ),
        ({"lines": {"*": {"words": {"a": 1}}}}, PARAMS),  # a user's null stays
        ({"seed": {"a": 1}}, {**PARAMS, "seed": {"a": 1}}),
    ],
)
def test_a_profile_replaces_values_key_by_key(overrides: dict[str, Any], result: dict[str, Any]) -> None:
    params = copy.deepcopy(PARAMS)
    override(params, overrides)
    assert params == result


def test_unknown_sections_are_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"^profile: line: unknown; did you mean lines\?$"):
        override(copy.deepcopy(PARAMS), {"line": {}})


# `handwriting` replaces whole sections; tests/commands/test_handwriting.py checks it.
@pytest.mark.parametrize(
    "profile", sorted({path.stem for path in (ROOT / "profiles").glob("*.yaml")} - {"handwriting"})
)
def test_the_shipped_profiles_are_valid_and_need_no_download(profile: str) -> None:
    base, _, overlay = profile.partition("_")  # `demo_seeds` is laid over `demo`
    project = check_project(profile_params(*([base, profile] if overlay else [base])))
    assert (project.emnist.source, project.corpus.source) == ("glyphs", "builtin")
    shipped = check_project(read_params(ROOT / "params.yaml"))
    assert set(RESULTS) <= set(project.experiments) <= set(shipped.experiments)
    for name, lines in project.lines.items():
        assert lines.train < shipped.lines[name].train


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of a few files with all that is copied."""
    project = tmp_path / "project"
    for path, text in {
        "pipeline/__init__.py": "",
        "pipeline/old.py": "OLD = 1\n",
        "pipeline/__pycache__/old.cpython-311.pyc": "",
        "stages/check.py": "print('check')\n",
        "dvc.yaml": "stages: {}\n",
        ".dvcignore": "__pycache__\n",
        ".dvc/config": "[core]\n    analytics = false\n",
        ".dvc/plots/own.json": "{}",
        "params.yaml": "# All settings.\nlines:\n  short:  # a few\n    train: 10\n  long:\n    train: 20\n",
        "results.txt": "the project's own",
    }.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text)
    return project


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_second_call_keeps_results_and_refreshes_code(project: Path, tmp_path: Path) -> None:
    untouched = files_in(project)
    workspace = tmp_path / "build" / "demo"
    make_workspace(project, workspace, {"lines": {"*": {"train": 5}}})
    assert files_in(project) == untouched
    made = files_in(workspace)
    assert {path for path in made if not path.startswith(".dvc/")} == {
        *("pipeline/__init__.py", "pipeline/old.py", "stages/check.py", "dvc.yaml", ".dvcignore", "params.yaml")
    }
    written = "# All settings.\nlines:\n  short:  # a few\n    train: 5\n  long:\n    train: 5\n"
    assert made["params.yaml"].decode() == written
    assert made[".dvc/plots/own.json"] == b"{}"
    assert made[".dvc/config"].decode() == "[core]\n    analytics = false\n    no_scm = true\n"

    results = {"data/lines/short.h5": b"lines", "mlflow.db": b"runs", "dvc.lock": b"lock", ".dvc/cache/ab": b"cached"}
    for path, content in results.items():
        (workspace / path).parent.mkdir(parents=True, exist_ok=True)
        (workspace / path).write_bytes(content)
    (project / "pipeline/old.py").unlink()
    (project / "pipeline/new.py").write_text("NEW = 1\n")
    make_workspace(project, workspace, {"lines": {"short": {"train": 7}}})
    kept = files_in(workspace)
    assert results.items() <= kept.items()
    assert kept[".dvc/config"] == made[".dvc/config"]
    assert {path for path in kept if path.startswith("pipeline/")} == {"pipeline/__init__.py", "pipeline/new.py"}
    assert kept["params.yaml"].decode() == written.replace("train: 5", "train: 7", 1).replace("train: 5", "train: 20")


def test_later_profiles_win(project: Path, tmp_path: Path) -> None:
    make_workspace(project, tmp_path / "made", {"lines": {"*": {"train": 5}}}, {"lines": {"long": {"train": 6}}})
    params = read_params(tmp_path / "made/params.yaml")
    assert params["lines"] == {"short": {"train": 5}, "long": {"train": 6}}


def test_all_blocks_of_a_section_with_a_comment_may_go(project: Path, tmp_path: Path) -> None:
    text = "decoding:\n  # Beam searches.\n  wide:\n    experiment: gone\nlines: {}\n"
    (project / "params.yaml").write_text(text)
    make_workspace(project, tmp_path / "made")
    assert read_params(tmp_path / "made/params.yaml") == {"decoding": {}, "lines": {}}


def test_a_profile_with_an_unknown_key_makes_nothing(project: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^profile: line: unknown; did you mean lines\?$"):
        make_workspace(project, tmp_path / "made", {"line": {"long": {"train": 1}}})
    assert not (tmp_path / "made").exists()


def test_settings_that_are_no_yaml_make_nothing(project: Path, tmp_path: Path) -> None:
    (project / "params.yaml").write_text("lines: [")
    with pytest.raises(InputError, match=r"params\.yaml: not valid YAML"):
        make_workspace(project, tmp_path / "made")
    assert not (tmp_path / "made").exists()


PROFILES = ("demo", "tiny")
SHIPPED = read_params(ROOT / "params.yaml")


def made(params: dict[str, Any], profile: str) -> ProjectSettings:
    """The settings of a workspace that is made from `params`; they are valid."""
    params = copy.deepcopy(params)
    apply_profiles(params, read_params(ROOT / f"profiles/{profile}.yaml"))
    return check_project(params)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", SHIPPED["experiments"])
def test_users_remove_and_rename_experiments(name: str, profile: str) -> None:
    others = {key: block for key, block in SHIPPED["experiments"].items() if key != name}
    assert name not in made({**SHIPPED, "experiments": others}, profile).experiments
    alone = made({**SHIPPED, "experiments": {name: SHIPPED["experiments"][name]}}, profile)
    assert list(alone.experiments) == [name]
    assert {decoding.experiment for decoding in alone.decoding.values()} <= {name}
    renamed = {"mine" if key == name else key: block for key, block in SHIPPED["experiments"].items()}
    assert "mine" in made({**SHIPPED, "experiments": renamed}, profile).experiments


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", SHIPPED["lines"])
def test_users_remove_a_data_set_and_what_uses_it(name: str, profile: str) -> None:
    experiments = {key: block for key, block in SHIPPED["experiments"].items() if block["lines"] != name}
    lines = {key: block for key, block in SHIPPED["lines"].items() if key != name}
    assert name not in made({**SHIPPED, "lines": lines, "experiments": experiments}, profile).lines


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("left", [None, {}, *({key: block} for key, block in SHIPPED["decoding"].items())])
def test_users_remove_decodings(left: dict[str, Any] | None, profile: str) -> None:
    assert set(made({**SHIPPED, "decoding": left}, profile).decoding) <= set(left or {})


@pytest.mark.parametrize("profile", PROFILES)
def test_a_new_experiment_may_leave_out_what_a_profile_sets(profile: str) -> None:
    block = {
        "lines": "variable",
        "loss": "ctc",
        "load": "data/none",
        "model": {"name": "line_cnn", "window_stride": 18},
    }
    assert "mine" in made({**SHIPPED, "experiments": {**SHIPPED["experiments"], "mine": block}}, profile).experiments


@pytest.mark.parametrize("profile", PROFILES)
def test_a_shipped_profile_names_nothing_that_is_not_there(profile: str) -> None:
    def missing(profile: dict[str, Any], blocks: list[Any], path: str = "") -> Iterator[str]:
        for key, value in profile.items():
            found = [block for block in blocks if isinstance(block, dict)]
            inner = [item for block in found for name, item in block.items() if key in ("*", name)]
            if not inner:
                yield f"{path}{key}"
            elif isinstance(value, dict):
                yield from missing(value, inner, f"{path}{key}.")

    assert list(missing(read_params(ROOT / f"profiles/{profile}.yaml"), [SHIPPED])) == []
