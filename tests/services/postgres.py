"""A PostgreSQL server for tests, and a network to it that can be cut."""

import contextlib
import os
import select
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

USER, PASSWORD = "tester", "only-for-tests"
_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Postgres:
    """A server on 127.0.0.1 with its files in `folder`."""

    folder: Path
    port: int

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs. It refuses root, so root runs it as Debian's user `postgres`."""
        owner = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        command = [str(_PROGRAMS[-1].with_name(program)), *arguments]
        with (self.folder / "output").open("ab") as output:
            subprocess.run(command, check=True, cwd=self.folder, stdout=output, stderr=output, **owner)  # type: ignore[call-overload]

    def start(self) -> None:
        options = f"-c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -p {self.port}"
        self.run("pg_ctl", "start", "--pgdata=data", "--wait", "--silent", f"--options={options}", "--log=log")

    def stop(self) -> None:
        self.run("pg_ctl", "stop", "--pgdata=data", "--wait", "--silent", "--mode=fast")

    def create_database(self, name: str) -> None:
        import psycopg

        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())

    def address(self, database: str, port: int | None = None, password: str = PASSWORD) -> str:
        return f"postgresql://{USER}:{password}@127.0.0.1:{port or self.port}/{database}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running server. Without Debian's package or the driver, the test is skipped."""
    if not _PROGRAMS:
        pytest.skip("PostgreSQL is missing: apt-get install postgresql")
    pytest.importorskip("psycopg", reason="the driver is missing: pip install -e '.[postgres]'")
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    server = Postgres(folder, unused_port())
    try:
        (folder / "password").write_text(PASSWORD)
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        users = ("--auth=scram-sha-256", f"--username={USER}", "--pwfile=password")
        server.run("initdb", "--pgdata=data", "--no-sync", "--encoding=UTF8", "--locale=C", *users)
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder)


class Network:
    """Passes connections on to a port of this machine, until it is cut."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open = threading.Event()
        self._open.set()
        self._ended = False
        self._sockets: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Let no byte through. Nobody is told: senders wait, as behind a broken cable."""
        self._open.clear()

    def mend(self) -> None:
        """Let bytes through again. Older connections are dead, as after a long cut."""
        for one in list(self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.set()

    def end(self) -> None:
        self._ended = True
        self.mend()
        self._listener.close()

    def _accept(self) -> None:
        while not self._ended:
            with contextlib.suppress(OSError):
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        self._open.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            client.close()
            return
        pair = {client: server, server: client}
        self._sockets |= pair.keys()
        with client, server, contextlib.suppress(OSError):
            while True:
                for source in select.select(list(pair), [], [])[0]:
                    data = source.recv(2**16)
                    self._open.wait()
                    if not data:
                        return
                    pair[source].sendall(data)


@pytest.fixture(scope="session")
def network(postgres: Postgres) -> Iterator[Network]:
    """The way to the database's server."""
    network = Network(postgres.port)
    yield network
    network.end()
