import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from xdist.scheduler import LoadScopeScheduling

from pipeline.data.sources import transfer
from pipeline.tracking.store import open_store
from tests.stage_server import run_stage_server
from tests.web import Web, serving

# Tests work on tensors too small to share: on one thread they are quicker, and add up alike everywhere. So do the
# stages that they start, as several tests run at once.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"
# After each command, DVC would start a process that reports it to DVC's authors.
os.environ["DVC_NO_ANALYTICS"] = "true"

LONGEST = "tests/docs/test_documented_commands.py"
"""Takes minutes in one piece: begun last, it would leave all workers but one with nothing to do."""
SHARING = ("tests/end_to_end/", "tests/reliability/test_harnesses.py")
SHARING += ("tests/services/test_cluster.py", "tests/services/test_mlflow_server.py", "tests/services/test_remotes.py")
"""Tests that use one workspace or server: a folder, files."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests; the others keep their order."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Distribute single tests, but those that share a workspace together: making one takes minutes.

    xdist's own marks for that have no effect with pytest 9.2, which no longer lets a plugin rename a test.
    """

    class BySharedWorkspace(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next((folder for folder in SHARING if nodeid.startswith(folder)), nodeid)

    return BySharedWorkspace(config, log)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setattr(transfer, "BACKOFF", 0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as web:
        yield web


@pytest.fixture(scope="session")
def quick_python() -> Iterator[str]:
    """A folder for the PATH, with a `python` that runs stages without the seconds of their imports."""
    with run_stage_server() as folder:
        yield folder


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a new MLflow store, to copy: making one takes seconds."""
    root = tmp_path_factory.mktemp("empty_store")
    with pytest.MonkeyPatch.context() as monkeypatch:
        # MLflow sets the URI in the environment itself; set first, it is undone with the rest.
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
            monkeypatch.setenv(name, "")
        monkeypatch.setenv("DVC_ROOT", str(root))
        open_store()
    return root / "mlflow.db"


@pytest.fixture(autouse=True)
def _small_numbers_stay() -> Iterator[None]:
    """Undo for this process what `prepare_cpu` does to numbers too small for a normal float: hypothesis draws them."""
    yield
    torch.set_flush_denormal(False)
