"""The most memory that a process has held."""

import re
from pathlib import Path


def peak_memory(pid: int | str = "self") -> int:
    """Most bytes of memory that a process has held since its program began (Linux); 0 if it has ended.

    `getrusage` and `wait4` would also count the parent's memory from before the program began.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    peak = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(peak[1]) * 1024 if peak else 0
