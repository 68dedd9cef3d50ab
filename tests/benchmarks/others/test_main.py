"""The page beside other projects."""

from pathlib import Path

from benchmarks.others.__main__ import _public, write_report
from benchmarks.others.contestants import COLD_START, READING, SYNTHESIS, Contestant, make_table
from benchmarks.others.inputs import SEARCH


def test_the_page_has_rates_seconds_and_what_is_missing(tmp_path: Path) -> None:
    reading = Contestant(READING, "ours, width 8", lambda: (0.0, []), [0.5, 1.0], ["ab", "cx"])
    cold_start = Contestant(COLD_START, "kraken 7", lambda: (0.0, []), [2.0, 4.0], ["ab"])
    synthesis = Contestant(SYNTHESIS, "ours", lambda: (0.0, []), [0.001])
    facts = {"count": 2, "rounds": 2, "model": "m", "untrained": True, "search": SEARCH, "command": "c"}
    table = make_table([reading, cold_start, synthesis], ["ab", "cd"])
    write_report(table, tmp_path, missing=["kraken: No module named 'kraken'"], **facts)
    page = (tmp_path / "others.md").read_text()
    assert "| ours, width 8 | 3 | 2 | 4 | 25.00% |" in page
    assert "| kraken 7 | 3.0 | 4.0 | 2.0 |" in page
    assert "| ours | 2,000 | 2,000 | 2,000 | – |" in page
    assert "- kraken: No module named 'kraken'" in page


def test_places_on_this_machine_are_not_published() -> None:
    given = ["--python", "/home/me/kraken/bin/python", "--lines", "data/lines/a.h5", "--count", "20"]
    assert _public(given) == ["--python", "python", "--lines", "data/lines/a.h5", "--count", "20"]
