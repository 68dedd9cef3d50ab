"""Stages that tests start through DVC, without the seconds in which each of them imports its libraries.

A folder for the PATH has a small program `python`. It lets a server that has imported the libraries fork, and the child
runs `-m stages …` in the caller's folder, with its environment and streams. All other commands, and every command where
there is no server, go to the real interpreter. `make demo` and tests/reliability run stages as processes of their own.
"""

import contextlib
import importlib
import json
import os
import runpy
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

LIBRARIES = ("h5py", "matplotlib.figure", "mlflow.pyfunc", "mlflow.store.tracking.sqlalchemy_store", "nltk", "pandas")
LIBRARIES += ("pytorch_lightning", "rapidfuzz.process", "scipy.sparse", "torch", "torchmetrics")
"""Third-party only: the project's own code is that of the caller's folder."""
CLIENT = """
import json, os, socket, sys

if sys.argv[1:3] != ["-m", "stages"]:
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [b"-"], [0, 1, 2])
    server.sendall(json.dumps([os.getcwd(), dict(os.environ), sys.argv[2:]]).encode())
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.recv(8) or 1))
"""


@contextlib.contextmanager
def run_stage_server() -> Iterator[str]:
    """Start a server; yield the folder for the PATH. The server ends with the block, or with this process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment = {**kept, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "WARNING"}
    with tempfile.TemporaryDirectory() as folder:  # with a short path, as that of a socket must be
        address, client, program = (Path(folder) / name for name in ("socket", "client.py", "python"))
        client.write_text(CLIENT.format(python=sys.executable, address=str(address)))
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{client}" "$@"\n')
        program.chmod(0o755)
        command = [sys.executable, __file__, str(address)]
        with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            yield folder


def serve(address: str) -> None:
    """Wait for clients until the standard input ends. In a child, return to run a stage."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            client, _ = listener.accept()
            if not os.fork():
                listener.close()
                return watch(client)
            client.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
    sys.exit()


def watch(client: socket.socket) -> None:
    """Tell the client how a stage ends that runs in a process of its own. In that process, return."""
    streams = socket.recv_fds(client, 1, 3)[1]
    request = b"".join(iter(lambda: client.recv(2**16), b""))
    if stage := os.fork():
        client.sendall(str(abs(os.waitstatus_to_exitcode(os.waitpid(stage, 0)[1]))).encode())
        os._exit(0)
    client.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    working_folder, environment, sys.argv = json.loads(request)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(working_folder)
    sys.path[:1] = [working_folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]


if __name__ == "__main__":
    for name in LIBRARIES:
        importlib.import_module(name)
    serve(sys.argv[1])
    runpy.run_module("stages", run_name="__main__", alter_sys=True)
