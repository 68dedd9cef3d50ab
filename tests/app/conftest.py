from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from fastapi import FastAPI

from pipeline.app.api import create_api
from pipeline.app.models import ModelStore
from pipeline.app.page import add_page
from pipeline.common import paths
from pipeline.models.checkpoint import save_checkpoint
from pipeline.runtime import hardware
from tests.app.server import running
from tests.tiny import FP32, tiny_settings

EXPERIMENTS = {"first_ctc": ("ctc", 10), "second_ce": ("ce", 21)}
"""Loss and seed of the weights: untrained, but different pictures give different texts."""


def make_workspace(folder: Path) -> None:
    """Two experiments; the first one has the lower CER."""
    for cer, (name, (loss, seed)) in enumerate(EXPERIMENTS.items()):
        torch.manual_seed(seed)
        settings = tiny_settings("line_cnn", loss, max_length=24)
        save_checkpoint(folder / paths.checkpoint(name, 1), settings, settings.build())
        path = folder / paths.metrics(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'{{"test_cer": 0.{cer + 1}}}')


def enter_workspace(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make such a workspace and go there; return it. No MLflow server is set."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(folder)
    make_workspace(folder)
    return folder


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace with models, in which the process stands."""
    folder = tmp_path_factory.mktemp("workspace")
    with pytest.MonkeyPatch.context() as monkeypatch:
        enter_workspace(folder, monkeypatch)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        # Untrained models have ties, which bf16 breaks otherwise.
        monkeypatch.setattr(hardware, "choose_compute_config", lambda *_: FP32)
        yield folder


@pytest.fixture(scope="module")
def app(workspace: Path) -> FastAPI:
    return create_api(ModelStore())


@pytest.fixture(scope="module")
def address(app: FastAPI) -> Iterator[str]:
    add_page(app)
    with running(app) as address:
        yield address
