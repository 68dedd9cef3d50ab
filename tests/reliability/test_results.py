from pathlib import Path

import pytest

from reliability.results import COLUMNS, Row, Tally, merge, read_rows, write_report

KILL, DISK, REPEAT = (
    Row("kill: train", 40, 0),
    Row("kill: full disk", 9, 1, 'a "half", said it\nall'),
    Row("repeat", 10, 0),
)


def test_a_harness_replaces_its_own_rows_alone(tmp_path: Path) -> None:
    write_report([KILL, DISK], tmp_path)
    write_report([REPEAT], tmp_path)
    again = Row("kill: train", 80, 0, command="python -m reliability kill")
    write_report([again], tmp_path)
    assert read_rows(tmp_path / "reliability.csv") == [again, REPEAT]
    page = (tmp_path / "reliability.md").read_text()
    assert "| kill: train | 80 | 0 |" in page
    assert "| repeat | 10 | 0 |" in page


def test_a_file_can_be_read_again(tmp_path: Path) -> None:
    write_report([DISK], tmp_path)
    (row,) = read_rows(tmp_path / "reliability.csv")
    assert row.found == 'a "half", said it all'
    assert (tmp_path / "reliability.csv").read_text().splitlines()[0] == ",".join(COLUMNS)
    assert COLUMNS[:3] == ["what", "tried", "failed"]


def test_rows_are_in_the_order_of_their_harnesses() -> None:
    assert merge([REPEAT], [DISK, KILL]) == [DISK, KILL, REPEAT]


@pytest.mark.parametrize(("faults", "row"), [([[]], (4, 0, "")), ([[], ["b", "c"], ["d"]], (12, 2, "b"))])
def test_a_tally_keeps_the_first_failure(faults: list[list[str]], row: tuple[int, int, str]) -> None:
    tally = Tally("kill: train")
    for failures in faults:
        tally.add(*failures, tried=4)
    assert tally.row() == Row("kill: train", *row)
