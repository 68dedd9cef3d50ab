"""An MLflow server with a PostgreSQL database and artifacts behind it."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.services.postgres import unused_port

START_SECONDS = 120


@contextmanager
def mlflow_server(database: str, artifacts: str, workers: int = 1, **environment: str) -> Iterator[str]:
    """Run a server; yield its address. All artifacts go through it to the folder or address `artifacts`."""
    port = unused_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host=127.0.0.1", f"--port={port}", f"--workers={workers}"]
    command += [f"--backend-store-uri={database}", f"--artifacts-destination={artifacts}"]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            command,
            env={**kept, **quiet, **environment},
            cwd=tempfile.gettempdir(),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(address, server)
            yield address
        except BaseException:
            log.seek(0)
            print(log.read().decode()[-5000:])
            raise
        finally:
            os.killpg(server.pid, signal.SIGKILL)  # it would wait for its clients
            server.wait()


def _wait_for(address: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server has ended"
        with suppress(OSError), urllib.request.urlopen(f"{address}/health", timeout=2):
            return
        time.sleep(0.2)
    raise TimeoutError(f"{address} does not answer")
