import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from pipeline.commands.app import bind, choose_workspace
from pipeline.common.errors import InputError
from tests.app.conftest import make_workspace
from tests.terminal import listen_to_ctrl_c
from tests.tracking.conftest import python_environment


@pytest.fixture(autouse=True)
def _no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_the_project_comes_before_the_demo(tmp_path: Path) -> None:
    make_workspace(tmp_path / "build/demo")
    assert choose_workspace(tmp_path) == tmp_path / "build/demo"
    make_workspace(tmp_path)
    assert choose_workspace(tmp_path) == tmp_path


def test_a_recognizer_of_others_is_a_model_too(tmp_path: Path) -> None:
    (tmp_path / "data/pretrained").mkdir(parents=True)
    (tmp_path / "data/pretrained/theirs.ckpt").touch()
    assert choose_workspace(tmp_path) == tmp_path


def test_without_any_model_there_is_advice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no model yet; make some with `make demo` or `dvc repro`"):
        choose_workspace(tmp_path)


def test_a_server_of_mlflow_may_have_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert choose_workspace(tmp_path) == tmp_path


def test_a_port_in_use_is_refused() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(InputError, match="choose another one: make app PORT="):
            bind(listener.getsockname()[1])


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_number_that_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(InputError, match=f"port {port} cannot be used"):
        bind(port)


def test_the_printed_address_answers_until_ctrl_c(tmp_path: Path) -> None:
    make_workspace(tmp_path)
    command = [sys.executable, "-m", "pipeline", "app", "--port", "0"]
    environment = {**python_environment(tmp_path), "NO_PROXY": "127.0.0.1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command,
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=listen_to_ctrl_c,
    ) as server:
        assert server.stdout is not None
        match = re.match(r"Open (http://127\.0\.0\.1:\d+)/", server.stdout.readline())
        assert match
        page = requests.get(match[1], timeout=60)
        models = requests.get(f"{match[1]}/v1/models", timeout=60).json()
        server.send_signal(signal.SIGINT)
        _, printed = server.communicate(timeout=60)
    assert "<title>Read handwriting</title>" in page.text
    assert [model["name"] for model in models] == ["first_ctc", "second_ce"]
    assert "Traceback" not in printed
    assert server.returncode == 130
