"""A project of its own, and the servers."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.orchestration.workspace import make_workspace
from pipeline.settings.base import read_params
from tests.end_to_end.workspace import IDENTITY, PARAMS, Workspace
from tests.imports import ROOT
from tests.projects import merged
from tests.services.postgres import network, postgres
from tests.services.s3 import s3
from tests.services.sshd import ssh
from tests.tracking.conftest import evaluation

__all__ = ["evaluation", "network", "postgres", "s3", "ssh"]
EXPERIMENTS = ("cnn_ctc_variable", "simple_ce_aligned")
EPOCHS = 200
DECODING = "cnn_ctc_variable_beam"


@pytest.fixture(scope="session")
def environment(quick_python: str) -> dict[str, str]:
    """For processes that know nothing of this machine's settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW", "DVC", "GIT_", "PYTHON", "AWS"))}
    path = os.pathsep.join([quick_python, str(Path(sys.executable).parent), kept.get("PATH", "")])
    return {**kept, **IDENTITY, "PATH": path, "DVC_NO_ANALYTICS": "true"}


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Workspace:
    """A git repository with code and tiny settings, in which nothing has run."""
    root = tmp_path_factory.mktemp("settings") / "project"
    edits = {
        "experiments": {key: None for key in PARAMS["experiments"] if key not in EXPERIMENTS},
        "decoding": dict.fromkeys(key for key in PARAMS["decoding"] if key != DECODING),
        "lines": {"matched": None},
    }
    make_workspace(ROOT, root, merged(read_params(ROOT / "profiles/tiny.yaml"), edits))
    params = YAML().load(root / "params.yaml")
    # The first one takes half a minute, so that a machine can die in its middle.
    params["experiments"][EXPERIMENTS[0]]["training"] = {"max_epochs": EPOCHS, "early_stopping_patience": EPOCHS}
    YAML().dump(params, root / "params.yaml")
    shutil.copy(ROOT / ".gitignore", root)
    for name in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / name, root / ".dvc")
    workspace = Workspace(root, environment)
    workspace.git("init", "--quiet", "--initial-branch=main")
    workspace.save("Settings and code")
    return workspace


@pytest.fixture(scope="session")
def trained(settings: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy of it after `dvc repro`."""
    root = tmp_path_factory.mktemp("trained") / "project"
    workspace = Workspace(shutil.copytree(settings.root, root), settings.environment)
    workspace.dvc("repro")
    workspace.save("Results")
    return workspace
