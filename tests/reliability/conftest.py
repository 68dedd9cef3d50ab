import os
import random
from pathlib import Path

import pytest

from reliability import kill
from reliability.kill import Harness
from reliability.workspaces import LINES, Sources, Workspace

TIMED = ("corpus", f"synthesize {LINES}")


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory, quick_python: str) -> Harness:
    """A workspace after an undisturbed run of the whole pipeline."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        environment = Workspace.environment
        path = os.pathsep.join([quick_python, os.environ["PATH"]])
        monkeypatch.setattr(Workspace, "environment", lambda workspace: {**environment(workspace), "PATH": path})
        return Harness(tmp_path_factory.mktemp("reliability"), Sources(), random.Random(0), TIMED)


@pytest.fixture(autouse=True)
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kill, "IN_A_ROW", 2)


@pytest.fixture
def folder(harness: Harness) -> Path:
    """The workspace's folder."""
    return harness.workspace.root
