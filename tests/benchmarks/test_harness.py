import os
from pathlib import Path

import pytest

from benchmarks.harness import compare, prepare

PEER = """
import os, time

def evaluate(inputs):
    def run(number):
        with open({log!r}, "a") as log:
            log.write(f"{{os.getpid()}} {{number}} begin\\n")
            time.sleep(0.01)
            log.write(f"{{os.getpid()}} {{number}} end\\n")
        return {units}
    return run
"""


def peer(folder: Path, units: int) -> str:
    path = folder / f"peer{units}.py"
    path.write_text(PEER.format(log=str(folder / "log"), units=units))
    return str(path)


def test_implementations_take_turns_in_processes_of_their_own(tmp_path: Path) -> None:
    implementations = {"one": peer(tmp_path, 10), "two": peer(tmp_path, 20)}
    timings = compare("evaluate", implementations, {"one": 2, "two": 1}, rounds=3, shortest_round=0)
    entries = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    begins, ends = entries[0::2], entries[1::2]
    assert [[*entry[:2], "end"] for entry in begins] == ends  # never two at work
    one, two = begins[0][0], begins[2][0]
    assert len({one, two, str(os.getpid())}) == 3
    assert [(pid, number) for pid, number, _ in begins] == [
        *((one, "0"), (one, "1"), (two, "0")),
        *((one, "2"), (two, "1"), (one, "3"), (two, "2"), (one, "4"), (two, "3")),
    ]
    for name, units in (("one", 10), ("two", 20)):
        timing = timings[name]
        assert timing.slowest <= timing.rate <= timing.fastest <= units / 0.01
        assert timing.memory > 2**20


def test_short_work_is_repeated_within_its_round(tmp_path: Path) -> None:
    timing = compare("evaluate", {"one": peer(tmp_path, 10)}, {"one": 0}, rounds=2, shortest_round=0.05)["one"]
    entries = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    numbers = [number for _, number, state in entries if state == "begin"]
    assert set(numbers) == {"0", "1"}
    assert numbers.count("0") > 1
    assert numbers == sorted(numbers)  # all of a round before the next
    assert 0 < timing.rate <= 10 / 0.01


def test_missing_work_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AttributeError, match="synthesis"):
        prepare(peer(tmp_path, 1), "synthesis", "cpu")


def test_the_failure_of_one_implementation_ends_the_others(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fails = tmp_path / "fails.py"
    fails.write_text("def evaluate(inputs):\n    return lambda number: [10][number]\n")
    with pytest.raises(EOFError):
        compare("evaluate", {"one": peer(tmp_path, 10), "two": str(fails)}, {"one": 0, "two": 0}, 2, "cpu", 0)
    assert "IndexError" in capfd.readouterr().err
    pid = int((tmp_path / "log").read_text().split()[0])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
