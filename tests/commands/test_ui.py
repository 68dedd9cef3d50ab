import dataclasses
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.commands import ui
from pipeline.common.errors import InputError
from pipeline.tracking.views import view_address
from tests.tracking.conftest import copy_store, root, store

__all__ = ["copy_store", "root", "store"]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Sequence[str], Mapping[str, str]]]:
    """What the command starts, instead of which a process starts that ends at once."""
    calls: list[tuple[Sequence[str], Mapping[str, str]]] = []
    popen = subprocess.Popen

    def start(command: Sequence[str], env: Mapping[str, str], **_: object) -> Any:
        calls.append((command, env))
        return popen([sys.executable, "-c", "pass"])

    monkeypatch.setattr(ui.subprocess, "Popen", start)
    monkeypatch.setattr(ui, "terminate_children_on_sigterm", lambda: None)
    monkeypatch.setattr(ui.signal, "signal", lambda *_: None)
    return calls


def test_the_server_serves_the_project_on_localhost_only(
    root: Path, started: list[tuple[Sequence[str], Mapping[str, str]]]
) -> None:
    ui.main(port := free_port())
    ((command, environment),) = started
    assert list(command[2:8]) == ["mlflow", "ui", "--host", "127.0.0.1", "--port", str(port)]
    assert environment["MLFLOW_BACKEND_STORE_URI"] == f"sqlite:///{root / 'mlflow.db'}"


def test_without_a_store_of_the_project_the_demo_is_shown(
    root: Path, started: list[tuple[Sequence[str], Mapping[str, str]]]
) -> None:
    (root / "build/demo").mkdir(parents=True)
    (root / "mlflow.db").rename(root / "build/demo/mlflow.db")
    ui.main(free_port())
    ((_, environment),) = started
    assert environment["MLFLOW_BACKEND_STORE_URI"] == f"sqlite:///{root / 'build/demo/mlflow.db'}"
    assert not (root / "mlflow.db").exists()


def test_without_any_store_there_is_advice(root: Path) -> None:
    (root / "mlflow.db").unlink()
    with pytest.raises(InputError, match=r"there are no runs yet; make some with `make demo`"):
        ui.main(free_port())
    assert not (root / "mlflow.db").exists()


def test_a_port_in_use_is_refused(root: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(InputError, match="choose another one: make ui PORT="):
            ui.main(listener.getsockname()[1])


def test_a_server_is_named_and_not_started_again(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = dataclasses.replace(ui.open_store(), address="https://user:***@host:5000/")
    monkeypatch.setattr(ui, "open_store", lambda: store)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://user:secret@host:5000/")
    ui.main(5000)
    assert capsys.readouterr().out == f"Open https://user:***@host:5000/{view_address(store)}\n"
