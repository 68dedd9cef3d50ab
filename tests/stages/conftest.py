import shutil
from pathlib import Path

import pytest

from tests.projects import Project, profile_params

ENVIRONMENT = ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV", "DVC_STAGE")


@pytest.fixture(scope="session")
def store_uri(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> str:
    """A store for all the trainings of these tests."""
    return f"sqlite:///{shutil.copy(empty_store, tmp_path_factory.mktemp('store'))}"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Project:
    for name in ENVIRONMENT:
        monkeypatch.setenv(name, "")
    (tmp_path / "project" / ".dvc").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    project = Project(tmp_path / "project", profile_params("tiny"), monkeypatch, capsys)
    project.change()
    return project


@pytest.fixture
def tracked(project: Project, store_uri: str) -> Project:
    """A project whose runs go to the store of all these tests."""
    project.monkeypatch.setenv("MLFLOW_TRACKING_URI", store_uri)
    return project
