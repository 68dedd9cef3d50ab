import os
from collections.abc import Iterator

import pytest
import torch

from pipeline.data import transfer
from tests.web import Web, serving

# Tests work on tensors too small to share: on one thread they are quicker, and add up alike everywhere. So do the
# stages that they start, as several tests run at once.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"

LONGEST = "tests/test_documented_commands.py"
"""Takes minutes in one piece: begun last, it would leave all workers but one with nothing to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests; the others keep their order."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setattr(transfer, "BACKOFF", 0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as web:
        yield web
