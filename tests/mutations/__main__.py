"""Put each fault of the catalogue into a copy of the project, and name those that the tests of its room do not notice.

`make mutations` tries all of them; `python -m tests.mutations greedy` those of files with this word in their path. The
tests must pass without a fault.
"""

import importlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from tests.imports import ROOT
from tests.mutations.catalogue import MUTATIONS

Mutation = tuple[str, str, str]
LIBRARIES = ("h5py", "matplotlib.figure", "pandas", "pytorch_lightning", "rapidfuzz.process", "torch", "torchmetrics")
"""Imported once instead of for each mutation: they take most of the time."""
LEFT_OUT = (".*_cache", ".git", ".hypothesis", ".venv", "build")
MINUTES = 10
"""A fault may also make a program run forever."""
NOTICED = {1: "noticed", 0: "MISSED", -signal.SIGALRM: "noticed"}
"""By the exit status of a mutation's process."""


def find_tests(file: str) -> list[Path]:
    """The tests to run, one after another: those of the file, if it has tests of its own, then those of its room."""
    path = Path(file.replace("pipeline/", "tests/").replace("stages/", "tests/stages/"))
    own = path.with_name(f"test_{path.name}")
    return [found for found in (own, path.parent) if (ROOT / found).exists()]


def count_noticed(mutation: Mutation) -> int:
    """1 if a test fails with the fault in the code, else 0. Changes this process: call it in one of its own."""
    file, old, new = mutation
    signal.alarm(60 * MINUTES)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        shutil.copytree(ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
        source = copy / file
        source.write_text(source.read_text("utf-8").replace(old, new), "utf-8")
        for name in [name for name in sys.modules if name.partition(".")[0] in ("pipeline", "stages", "tests")]:
            del sys.modules[name]
        os.chdir(copy)
        sys.path.insert(0, str(copy))
        os.environ["PYTHONPATH"] = str(copy)  # stages that a test starts in another folder import the copy too
        for tests in find_tests(file):
            result = pytest.main(["-x", "-q", "-p", "no:cacheprovider", str(tests)])
            if result != pytest.ExitCode.OK:
                return int(result)
    return 0


def start(mutation: Mutation) -> int:
    """Start a process that tries a mutation; return its id."""
    if pid := os.fork():
        return pid
    status = 2
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        status = count_noticed(mutation)
    finally:
        os._exit(status)


def main(words: list[str]) -> int:
    """Try all mutations, or those of files with one of the words in their path; 1 if the tests miss one."""
    mutations = [(file, *change) for file, changes in MUTATIONS.items() for change in changes]
    chosen = [one for one in mutations if not words or any(word in one[0] for word in words)]
    for file, old, _ in chosen:
        if (ROOT / file).read_text("utf-8").count(old) != 1:
            sys.exit(f"{file}: does not contain once: {old}")
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in LIBRARIES:
        importlib.import_module(name)
    bad, running, waiting = 0, {}, list(reversed(chosen))
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            mutation = waiting.pop()
            running[start(mutation)] = mutation
        pid, status = os.wait()
        file, old, new = running.pop(pid)
        result = NOTICED.get(os.waitstatus_to_exitcode(status), "NO TEST RAN")
        bad += result != "noticed"
        print(f"{result:7} {file}: {old.strip()} -> {new.strip()}", flush=True)
    print(f"{len(chosen)} mutations, {bad} not noticed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
