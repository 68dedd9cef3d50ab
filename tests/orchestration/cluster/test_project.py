"""What stages need on another machine."""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from dvc.repo import Repo

from pipeline.common.errors import InputError
from pipeline.orchestration.cluster.project import Project
from pipeline.orchestration.plan import make_plan

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon:DeprecationWarning")  # DVC's own


@pytest.fixture
def opened(project: Path) -> Iterator[Project]:
    with Repo() as repo:
        yield Project(repo)


def test_stages_run_where_their_files_are(opened: Project) -> None:
    division = opened.divide(make_plan())
    assert division.before == {"check", "imported"}
    assert division.cluster == {"left", "right", "both"}
    assert division.after == {"report"}


def test_what_needs_a_users_file_takes_what_it_depends_on_along(project: Path) -> None:
    text = (project / "dvc.yaml").read_text()
    (project / "dvc.yaml").write_text(text.replace("    - parts\n", "    - parts\n    - own/file\n"))
    with Repo() as repo:
        assert Project(repo).divide(make_plan()).before == {"check", "imported", "left", "both"}


def test_inputs_are_the_outputs_of_other_stages(opened: Project) -> None:
    assert opened.inputs("check") == []
    assert opened.inputs("left") == ["ok"]
    assert opened.inputs("both") == ["parts/l"]
    lock = {"left": 1, "right": 2, "check": 3, "both": 4}
    assert opened.lock_entries("both", lock) == {"left": 1, "both": 4}


def test_the_archive_holds_code_and_settings_but_no_outputs(project: Path, opened: Project) -> None:
    (project / "dvc.lock").write_text("schema: '2.0'")
    for name in ("ok", "report"):
        (project / name).write_text("an output")
    (project / ".dvc/cache").mkdir()
    (project / ".dvc/cache/a").write_text("cached")
    with tarfile.open(fileobj=io.BytesIO(opened.code)) as archive:
        assert archive.getnames() == [".dvc/config", ".dvcignore", "dvc.yaml", "source", "work.py"]
    with Repo() as repo:
        assert Project(repo).identity == opened.identity
    (project / "source").write_text("other")
    with Repo() as repo:
        assert Project(repo).identity != opened.identity


def test_a_new_file_that_git_does_not_know_is_refused_where_a_stage_reads_it(project: Path) -> None:
    (project / ".dvc/config").write_text("")
    (project / "source").unlink()
    (project / "source").mkdir()
    (project / "source/old").write_text("text")
    subprocess.run(["git", "init", "--quiet"], check=True)
    subprocess.run(["git", "add", "--all"], check=True)
    (project / "notes").write_text("for myself")
    with Repo() as repo:
        assert "notes" not in map(str, Project(repo).files)
        Project(repo).refuse_new_files(["left"])
    (project / "source/new").write_text("more")
    with Repo() as repo:
        Project(repo).refuse_new_files(["right"])
        with pytest.raises(InputError, match=r"^source/new: new"):
            Project(repo).refuse_new_files(["left", "right"])


def test_a_project_without_a_remote_is_refused(project: Path) -> None:
    (project / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    with Repo() as repo, pytest.raises(InputError, match="dvc remote add"):
        Project(repo).remote_config()
