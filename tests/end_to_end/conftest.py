"""The whole pipeline under DVC, run once on the tiny profile; tests then change it."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.orchestration.workspace import make_workspace
from pipeline.settings.base import read_params
from tests.end_to_end.workspace import DECODINGS, EPOCHS, IDENTITY, LEFT_OUT, PARAMS, Workspace
from tests.imports import ROOT
from tests.projects import merged

if TYPE_CHECKING:
    from mlflow.entities import Run


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory, quick_python: str) -> Workspace:
    """The workspace after its first run."""
    root = tmp_path_factory.mktemp("pipeline") / "workspace"
    edits = {
        "training": {"max_epochs": EPOCHS},
        "experiments": dict.fromkeys(LEFT_OUT),
        "decoding": dict.fromkeys(key for key in PARAMS["decoding"] if key not in DECODINGS),
    }
    make_workspace(ROOT, root, merged(read_params(ROOT / "profiles/tiny.yaml"), edits))
    shutil.copy(ROOT / ".gitignore", root)
    # The project's own configuration, because this workspace uses git.
    for name in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / name, root / ".dvc")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW", "DVC", "GIT_", "PYTHON"))}
    path = os.pathsep.join([quick_python, str(Path(sys.executable).parent), kept.get("PATH", "")])
    workspace = Workspace(root, {**kept, **IDENTITY, "PATH": path})
    workspace.git("init", "--quiet")
    workspace.save("Settings and code")
    workspace.output = workspace.dvc("repro")
    workspace.changed = workspace.git("status", "--porcelain")
    workspace.save("Results")
    workspace.tracked = list(workspace.runs())
    return workspace


@pytest.fixture
def workspace(first: Workspace) -> Iterator[Workspace]:
    """The workspace; afterwards it is restored."""
    yield first
    first.restore()


@pytest.fixture
def new_runs(first: Workspace) -> "Callable[[], list[Run]]":
    """A function that returns MLflow's runs that the test has added."""
    before = set(first.runs())
    return lambda: [run for run_id, run in first.runs().items() if run_id not in before]
