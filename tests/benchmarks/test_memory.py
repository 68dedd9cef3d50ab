import mmap
import subprocess
import sys

import pytest

from benchmarks.memory import peak_memory
from tests.imports import ROOT


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_peak_memory_is_what_a_process_held_at_most_and_not_its_parent() -> None:
    def peak(held: int) -> int:
        code = f"from benchmarks.memory import peak_memory; len(b'x' * int({held})); print(peak_memory())"
        return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT).stdout)

    size = 2**28
    bare = peak(0)
    with mmap.mmap(-1, size) as block:
        block.write(b"1" * len(block))
        assert peak(0) < bare + size / 2
    assert bare + size / 2 < peak(size) <= bare + 1.1 * size


def test_peak_memory_of_a_process_that_is_no_more_is_none() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert peak_memory(process.pid) == 0
