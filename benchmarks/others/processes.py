"""Other projects, each in a process of its own environment."""

import json
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.others import peers
from benchmarks.others.contestants import (
    COLD_START,
    RATES,
    READING,
    SYNTHESIS,
    WITH_LM,
    WITHOUT_LM,
    Contestant,
)

SECTIONS = {
    "kraken": READING,
    "rapidocr": READING,
    "flashlight-text": WITH_LM,
    "fast-ctc-decode": WITHOUT_LM,
    "jiwer": RATES,
    "synthtiger": SYNTHESIS,
}


def start_peers(folder: Path, pythons: Sequence[str], stack: ExitStack) -> tuple[list[Contestant], list[str]]:
    """Each peer in the first environment that has it, and why others are missing."""
    started, missing = [], []
    for name, section in SECTIONS.items():
        reasons = []
        for python in pythons:
            process, label = _start(python, name, folder, stack)
            if process is None:
                reasons.append(label)
                continue
            started.append(Contestant(section, label, lambda process=process: _ask(process)))  # type: ignore[misc]
            if section == READING:
                command = _command(python, name, folder / "first")
                started.append(Contestant(COLD_START, label, lambda command=command: _run_once(command)))  # type: ignore[misc]
            break
        else:
            missing.append(f"{name}: {reasons[-1]}")
    return started, missing


def _start(python: str, name: str, folder: Path, stack: ExitStack) -> "tuple[subprocess.Popen[str] | None, str]":
    """A process that is ready, and its name with its version; or none, and why."""
    log = stack.enter_context((folder / f"{name}.log").open("w+", encoding="utf-8"))
    process = stack.enter_context(
        subprocess.Popen(
            _command(python, name, folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stack.callback(process.stdin.close)
    if first := process.stdout.readline():
        return process, f"{name} {json.loads(first)['version']}"
    log.seek(0)
    return None, (log.read().strip().splitlines() or ["it ended"])[-1]


def _ask(process: "subprocess.Popen[str]") -> tuple[float, list[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    answer = json.loads(process.stdout.readline())
    return answer["seconds"], answer["texts"]


def _run_once(command: Sequence[str]) -> tuple[float, list[str]]:
    """A whole process, from its command to its only answer."""
    start = time.perf_counter()
    process = subprocess.run(command, input="\n", capture_output=True, text=True, check=True)
    return time.perf_counter() - start, json.loads(process.stdout.splitlines()[-1])["texts"]


def _command(python: str, name: str, folder: Path) -> list[str]:
    return [python, str(peers.__file__), name, str(folder)]
