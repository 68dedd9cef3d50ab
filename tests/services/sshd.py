"""An SSH server for tests: Debian's, as a user without rights."""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.postgres import unused_port
from tests.services.remotes import Remote

SSHD = Path("/usr/sbin/sshd")
USER = "nobody" if os.getuid() == 0 else getpass.getuser()
START_SECONDS = 30
CONFIG = """ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/client_key.pub
PidFile none
StrictModes no
UsePAM yes
PasswordAuthentication no
MaxSessions 100
MaxStartups 100
Subsystem sftp internal-sftp
"""


@pytest.fixture(scope="session")
def ssh() -> Iterator[Remote]:
    """A running server with a folder. Without Debian's package or DVC's extra, the test is skipped."""
    pytest.importorskip("dvc_ssh", reason="DVC's extra is missing: pip install -e '.[ssh]'")
    if not SSHD.exists():
        pytest.skip("sshd is missing: apt-get install openssh-server")
    folder, port = Path(tempfile.mkdtemp(prefix="sshd-")), unused_port()
    try:
        for name in ("host_key", "client_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        (folder / "config").write_text(CONFIG.format(port=port, folder=folder))
        (folder / "store").mkdir()
        other = {}
        if os.getuid() == 0:  # as root, it would need folders of the system
            other = {"user": USER, "group": "nogroup", "extra_groups": []}
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, USER, "nogroup")
        with (folder / "log").open("w") as log:
            command = [SSHD, "-D", "-e", "-f", folder / "config"]
            server = subprocess.Popen(command, stdout=log, stderr=log, **other)  # type: ignore[call-overload]
        try:
            _wait_for(port, server)
            options = {"keyfile": str(folder / "client_key")}
            yield Remote(f"ssh://{USER}@127.0.0.1:{port}{folder}/store", folder / "store", options)
        finally:
            server.terminate()
            server.wait()
    finally:
        shutil.rmtree(folder)


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server has ended"
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"port {port} does not answer")
