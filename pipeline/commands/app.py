"""Open a page to try the models on pictures, drawings and texts; its readings are an HTTP interface too.

    python -m pipeline app [--port 8000]

It serves the project's models, or the demo's while the project has none, on this machine only. Ctrl-C ends it.
"""

import argparse
import os
import socket
from pathlib import Path

from pipeline.common.errors import InputError
from pipeline.common.files import project_root
from pipeline.inference.available_models import advise, has_models

HOST = "127.0.0.1"
WORKSPACES = (".", "build/demo")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument("--port", type=int, default=8000, help="the port of the server; by default 8000")


def main(port: int) -> None:
    """Serve the page, and print its address."""
    os.chdir(choose_workspace(project_root()))
    os.environ["TQDM_DISABLE"] = "1"  # read when tqdm is imported: no bars for single lines
    with bind(port) as listener:
        # The start of a server waits for its imports; connections wait from here on.
        print(f"Open http://{HOST}:{listener.getsockname()[1]}/   (Ctrl-C ends the server)", flush=True)
        serve(listener)


def choose_workspace(root: Path) -> Path:
    """The first folder of `WORKSPACES` that has models.

    Raises:
        InputError: none has.
    """
    found = [root / name for name in WORKSPACES if has_models(root / name)]
    if not found and not os.environ.get("MLFLOW_TRACKING_URI"):
        raise InputError(advise())
    return found[0] if found else root


def bind(port: int) -> socket.socket:
    """A listening socket.

    Raises:
        InputError: the port cannot be used.
    """
    # asyncio sends answers without delay (TCP_NODELAY) only where the protocol is given.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(f"app: port {port} cannot be used ({error}); choose another one: make app PORT=8001") from None
    return listener


def serve(listener: socket.socket) -> None:
    """Answer requests until Ctrl-C."""
    import torch
    import uvicorn

    from pipeline.app.api import create_api
    from pipeline.app.models import ModelStore
    from pipeline.app.page import add_page

    torch.set_flush_denormal(True)
    app = create_api(ModelStore())
    add_page(app)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])
