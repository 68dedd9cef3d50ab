"""`dvc.lock` is written seldom enough, and holds everything in the end."""

from pathlib import Path

import pytest

from pipeline.orchestration.cluster import lock_file
from pipeline.orchestration.cluster.lock_file import LockFile, read_lock


class Clock:
    """Time that only passes while the file is written: `seconds` each time."""

    def __init__(self, seconds: float) -> None:
        self.now, self.seconds, self.writings = 100.0, seconds, 0

    def monotonic(self) -> float:
        return self.now

    def write_text(self, path: Path, text: str) -> None:
        path.write_text(text)
        self.now += self.seconds
        self.writings += 1


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(seconds=2.0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lock_file, "time", clock)
    monkeypatch.setattr(lock_file, "write_text", clock.write_text)
    return clock


def test_writing_takes_at_most_a_tenth_of_the_time(clock: Clock) -> None:
    lock = LockFile()
    for number in range(100):
        lock.merge(f"train@{number}", {"cmd": f"python {number}"})
        clock.now += 1.0
    assert clock.writings == 6  # after 0, 20, 40, 60, 80 and 100 seconds of 100 + 6 x 2


def test_the_first_entry_is_written_at_once_and_all_of_them_in_the_end(clock: Clock) -> None:
    lock = LockFile()
    lock.merge("a", {"cmd": "python a"})
    assert read_lock() == {"a": {"cmd": "python a"}}
    lock.merge("b", {"cmd": "python b"})
    assert read_lock() == {"a": {"cmd": "python a"}}
    lock.write()
    assert read_lock() == lock.entries == {"a": {"cmd": "python a"}, "b": {"cmd": "python b"}}


def test_entries_of_before_are_kept(clock: Clock) -> None:
    LockFile().merge("a", {"cmd": "python a"})
    clock.now += 100
    LockFile().merge("b", {"cmd": "python b"})
    assert set(read_lock()) == {"a", "b"}
