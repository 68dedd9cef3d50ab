"""A command that is ended takes along what it started."""

import signal
import subprocess
import sys

import psutil

GRANDCHILD = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
PARENT = f"""
import subprocess, sys
from pipeline.termination import take_children_along

take_children_along()
again = [sys.executable, "-c", {GRANDCHILD!r}]
subprocess.run([sys.executable, "-c", f"import subprocess; subprocess.run({{again!r}})"])
"""


def test_sigterm_ends_children_and_theirs() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        grandchild = psutil.Process(int(parent.stdout.readline()))
        try:
            parent.send_signal(signal.SIGTERM)
            assert parent.wait(timeout=60) == 128 + signal.SIGTERM
            grandchild.wait(timeout=60)
            assert not grandchild.is_running()
        finally:
            if grandchild.is_running():
                grandchild.kill()
