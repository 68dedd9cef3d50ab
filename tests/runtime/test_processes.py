import os
import signal
import subprocess
import sys

import psutil
import pytest

from pipeline.runtime.processes import count_cores

GRANDCHILD = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
PARENT = f"""
import subprocess, sys
from pipeline.runtime.processes import terminate_children_on_sigterm

terminate_children_on_sigterm()
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


def test_cores_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {1, 5, 6}, raising=False)
    assert count_cores() == 3


@pytest.mark.parametrize(("of_machine", "cores"), [(8, 8), (None, 1)])
def test_where_a_system_does_not_say_it_is_all(
    of_machine: int | None, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: of_machine)
    assert count_cores() == cores
