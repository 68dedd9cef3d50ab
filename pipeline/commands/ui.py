"""Show all runs in MLflow's pages.

    python -m pipeline ui [--port 5001]

It shows the store that `MLFLOW_TRACKING_URI` names; by default the project's `mlflow.db`, or the demo's while the
project has none. Ctrl-C ends it.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time

from pipeline.common.errors import InputError
from pipeline.common.files import project_root
from pipeline.runtime.processes import terminate_children_on_sigterm
from pipeline.tracking.artifacts import sqlite_uri
from pipeline.tracking.store import open_store, tracking_uri
from pipeline.tracking.views import save_views, view_address

HOST = "127.0.0.1"
STORES = ("mlflow.db", "build/demo/mlflow.db")
_QUIET = {
    # Jobs are for language models, and need gigabytes of memory.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "PYTHONWARNINGS": "ignore",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument("--port", type=int, default=5000, help="the port of the server; by default 5000")


def main(port: int) -> None:
    """Print the address of the runs, and serve them unless a server does already."""
    _choose_store()
    store = open_store()
    save_views(store)
    uri = tracking_uri()
    if uri.startswith(("http:", "https:")):
        print(f"Open {store.address.rstrip('/')}/{view_address(store)}")
        return
    _require_free(port)
    terminate_children_on_sigterm()
    # The server itself would answer Ctrl-C with a traceback.
    signal.signal(signal.SIGINT, signal.getsignal(signal.SIGTERM))
    command = [sys.executable, "-m", "mlflow", "ui", "--host", HOST, "--port", str(port), "--workers", "1"]
    command += ["--uvicorn-opts", "--log-level warning"]
    # In the environment, because other users see a command and the passwords in it.
    environment = {**os.environ, **_QUIET, "MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_REGISTRY_STORE_URI": uri}
    with subprocess.Popen(command, env=environment, start_new_session=True) as server:
        if _wait(server, port):
            print(f"Open http://{HOST}:{port}/{view_address(store)}   (Ctrl-C ends the server)", flush=True)
    if server.returncode > 0:
        raise InputError("ui: MLflow's server ended")


def _choose_store() -> None:
    if os.environ.get("MLFLOW_TRACKING_URI"):
        return
    found = [path for path in (project_root() / name for name in STORES) if path.exists()]
    if not found:
        raise InputError("ui: there are no runs yet; make some with `make demo` or `dvc repro`")
    os.environ["MLFLOW_TRACKING_URI"] = sqlite_uri(found[0])


def _require_free(port: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise InputError(
                f"ui: port {port} cannot be used ({error}); choose another one: make ui PORT=5001"
            ) from None


def _wait(server: "subprocess.Popen[bytes]", port: int) -> bool:
    """Wait until the server answers; False if it ended."""
    while server.poll() is None:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return True
    return False
