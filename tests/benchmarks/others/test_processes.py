"""Other projects in processes of their own."""

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.others import processes
from benchmarks.others.contestants import COLD_START, RATES, READING

PEER = """
import json, sys
print(json.dumps({"version": "7"}), flush=True)
for _ in sys.stdin:
    print(json.dumps({"seconds": 0.5, "texts": [open(sys.argv[2] + "/text").read()]}), flush=True)
"""


def test_a_project_that_no_environment_has_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "SECTIONS", {"jiwer": RATES})
    (tmp_path / "options.json").write_text('{"threads": 1}')
    with ExitStack() as stack:
        found = processes.start_peers(tmp_path, [sys.executable], stack)
    assert found == ([], ["jiwer: ModuleNotFoundError: No module named 'jiwer'"])


def test_a_reader_also_starts_cold_and_reads_the_first_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peer, first = tmp_path / "peer.py", tmp_path / "first"
    peer.write_text(PEER)
    first.mkdir()
    (tmp_path / "text").write_text("all lines")
    (first / "text").write_text("one")
    monkeypatch.setattr(processes, "SECTIONS", {"kraken": READING})
    monkeypatch.setattr(processes.peers, "__file__", str(peer))
    with ExitStack() as stack:
        (reading, cold), missing = processes.start_peers(tmp_path, [sys.executable], stack)
        assert reading.run() == (0.5, ["all lines"])
        seconds, texts = cold.run()
    assert (reading.section, cold.section, missing) == (READING, COLD_START, [])
    assert (reading.name, cold.name) == ("kraken 7", "kraken 7")
    assert 0 < seconds < 30
    assert texts == ["one"]
