"""What `dvc.yaml` says of the stages, against the source of the stages."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dvc_objects.fs.utils import tmp_fname
from ruamel.yaml import YAML

from pipeline.settings.base import NO_FILE
from stages.check import FOLDERS
from tests.imports import PACKAGES, ROOT, closure, has_code
from tests.orchestration.dvc_projects import init_dvc

DEFINITIONS: dict[str, Any] = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["stages"]
STAGES = {name: definition.get("do", definition) for name, definition in DEFINITIONS.items()}
SETTINGS_OK = "data/settings.ok"
CHEAP = [stage for stage in STAGES if stage != "train"]


def code_dependencies(stage: str) -> list[str]:
    return [path for path in STAGES[stage]["deps"] if path.split("/")[0] in PACKAGES]


def covered(path: str) -> set[str]:
    """The files with code that one dependency stands for."""
    if not (ROOT / path).is_dir():
        return {path}
    files = (ROOT / path).rglob("*.py")
    return {file.relative_to(ROOT).as_posix() for file in files if has_code(file.relative_to(ROOT))}


def imported(stage: str) -> set[str]:
    return closure(Path("stages") / f"{stage}.py")


def test_training_depends_on_exactly_the_code_that_it_imports() -> None:
    files = [file for path in code_dependencies("train") for file in covered(path)]
    assert sorted(files) == sorted(imported("train"))


@pytest.mark.parametrize("stage", CHEAP)
def test_a_stage_depends_on_all_code_that_it_imports(stage: str) -> None:
    files = {file for path in code_dependencies(stage) for file in covered(path)}
    assert sorted(imported(stage) - files) == []


@pytest.mark.parametrize("stage", CHEAP)
def test_a_stage_imports_something_of_every_room_that_it_depends_on(stage: str) -> None:
    assert [path for path in code_dependencies(stage) if not covered(path) & imported(stage)] == []


@pytest.mark.parametrize(
    "path",
    [
        "pipeline/report",
        "pipeline/commands",
        "pipeline/studies",
        "pipeline/inference",
        "pipeline/tracking/comparisons.py",
        "pipeline/tracking/evaluations.py",
        "pipeline/tracking/registry.py",
        "pipeline/tracking/views.py",
    ],
)
def test_what_looks_at_results_retrains_nothing(path: str) -> None:
    assert covered(path)
    assert sorted(covered(path) & imported("train")) == []


@pytest.mark.parametrize("stage", STAGES)
def test_dependencies_are_listed_in_order(stage: str) -> None:
    dependencies = code_dependencies(stage)
    assert dependencies == sorted(dependencies)


def test_every_stage_has_a_file_and_every_file_is_a_stage() -> None:
    files = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__", "__main__"}
    assert set(STAGES) == files
    for name, stage in STAGES.items():
        assert stage["cmd"].split()[:4] == ["python", "-m", "stages", name]


def test_no_work_begins_before_the_settings_are_checked() -> None:
    # A persistent output keeps DVC from restoring a run, which would leave stale outputs where they are.
    assert STAGES["check"]["outs"] == [NO_FILE, {SETTINGS_OK: {"persist": True}}]
    waiting = {name for name, stage in STAGES.items() if SETTINGS_OK in stage["deps"]}
    assert waiting == {
        *("download", "corpus", "language_model", "own_language_model", "synthesize", "import_lines"),
        *("import_recognizer", "train", "decode", "compare_decodings"),
    }
    assert "params.yaml" in STAGES["check"]["deps"]
    # Only the check may depend on the whole file: a stage of its own section re-runs for that section.
    assert [name for name, stage in STAGES.items() if "params.yaml" in stage["deps"]] == ["check"]


def test_what_python_compiles_is_no_dependency() -> None:
    ignored = (ROOT / ".dvcignore").read_text().splitlines()
    assert {"__pycache__", "*.pyc"} <= set(ignored)


def test_a_clone_has_the_folders_that_a_stage_reads_without_any_beam_search() -> None:
    assert {str(folder) for folder in FOLDERS} < set(STAGES["compare_decodings"]["deps"])
    assert all((ROOT / folder / ".gitkeep").is_file() for folder in FOLDERS)


@pytest.mark.parametrize(
    "name", [tmp_fname(), ".a.h5.x1.partial", ".gitkeep"], ids=["of DVC", "of the pipeline", "of git"]
)
def test_what_is_no_data_is_no_part_of_a_dependency(tmp_path: Path, name: str) -> None:
    shutil.copy(ROOT / ".dvcignore", tmp_path)
    (tmp_path / "lines").mkdir()
    (tmp_path / "lines/a.h5").write_bytes(b"1")
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n  see:\n    cmd: cat lines/a.h5 > seen\n    deps: [lines]\n    outs: [seen]\n"
    )
    init_dvc(tmp_path)
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / "lines" / name).write_bytes(b"half")
    status = subprocess.run([sys.executable, "-m", "dvc", "status"], cwd=tmp_path, capture_output=True, check=True)
    assert b"up to date" in status.stdout


def test_the_template_of_the_report_is_a_dependency() -> None:
    templates = list((ROOT / "pipeline/report").rglob("*.j2"))
    assert templates
    assert "pipeline/report" in STAGES["compare"]["deps"]
