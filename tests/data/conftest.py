from collections.abc import Iterator

import pytest

from pipeline.data import transfer
from tests.web import Web, serving


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setattr(transfer, "BACKOFF", 0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as web:
        yield web
