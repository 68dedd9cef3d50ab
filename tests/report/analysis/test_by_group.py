import numpy as np
import pytest

from pipeline.data.storage.lines import NO_IMAGE, Lines
from pipeline.report.analysis.bootstrap import Estimate
from pipeline.report.analysis.by_group import COLUMNS, MIN_LINES, estimate_cers, find_groupings, groups_table
from tests.report.results import make_result

TEXTS = ["abcd", "ab", "ab", "abcdef"]
GOOD, BAD = ["abcd", "ab", "ab", "abcdeX"], ["", "ab", "a", "abcdef"]


def transcribed(groups: list[str], pages: list[str] | None = None) -> Lines:
    shape = len(TEXTS), 6
    numbers = np.full(shape, NO_IMAGE, np.int32)
    images, widths = np.zeros((len(TEXTS), 16, 20), np.uint8), np.full(len(TEXTS), 20, np.uint16)
    return Lines(images, TEXTS, widths, np.zeros(shape, np.uint16), numbers, groups, groups if pages is None else pages)


RESULTS = [make_result(TEXTS, GOOD, "good", "ctc"), make_result(TEXTS, BAD, "bad", "ctc")]


def test_rates_of_each_group_by_hand() -> None:
    (grouping,) = find_groupings(RESULTS, {"own": transcribed(["anna", "anna", "ben", "ben"], [])})
    assert (grouping.lines, grouping.kind, grouping.keys) == ("own", "group", ["good", "bad"])
    anna, ben = grouping.groups  # the hardest first: 0 and 4 / 6, 1 / 8 and 1 / 8
    assert (anna.name, anna.lines, anna.characters, anna.edits) == ("anna", 2, 6, {"good": 0, "bad": 4})
    assert (ben.name, ben.lines, ben.characters, ben.edits) == ("ben", 2, 8, {"good": 1, "bad": 1})
    assert ben.rates["good"] == Estimate(1 / 8, 1 / 8, 1 / 8)  # two lines are too few for an interval
    assert grouping.medians == pytest.approx({"good": (0 + 1 / 8) / 2, "bad": (4 / 6 + 1 / 8) / 2})


def test_pages_are_shown_where_groups_are_something_else() -> None:
    lines = transcribed(["anna", "anna", "ben", "ben"], ["p1", "p2", "p3", "p3"])
    by_group, by_page = find_groupings(RESULTS, {"own": lines})
    assert (by_group.kind, by_page.kind) == ("group", "page")
    assert [group.name for group in by_page.groups] == ["p1", "p3", "p2"]
    (pages,) = find_groupings(RESULTS, {"own": transcribed(lines.groups)})  # each page is a group
    assert pages.kind == "page"


@pytest.mark.parametrize("groups", [[], ["a", "b", "c", "d"], ["a"] * 4], ids=["none", "single lines", "one"])
def test_lines_without_groups_of_several_lines_show_nothing(groups: list[str]) -> None:
    assert find_groupings(RESULTS, {"own": transcribed(groups)}) == []


def test_the_table_has_a_row_for_each_experiment_and_group() -> None:
    groupings = find_groupings(RESULTS, {"own": transcribed(["anna", "anna", "ben", "ben"])})
    table = groups_table(groupings)
    assert table.columns.tolist() == list(COLUMNS)
    assert table[["experiment", "name", "edits"]].to_numpy().tolist() == [
        ["good", "anna", 0],
        ["good", "ben", 1],
        ["bad", "anna", 4],
        ["bad", "ben", 1],
    ]
    assert table["cer"].tolist() == pytest.approx([0, 1 / 8, 4 / 6, 1 / 8])
    assert table["cer_low"].isna().all()
    assert groups_table([]).columns.tolist() == list(COLUMNS)


def test_the_interval_of_a_group_resamples_its_lines() -> None:
    texts, edits = ["abcd"] * 100, np.array([0.0, 1.0] * 50)
    found = estimate_cers(texts, {"mine": edits, "right": np.zeros(100)})
    assert found["mine"].value == 0.125
    half = 1.96 * 0.5 / 4 / 100**0.5
    assert found["mine"].high - found["mine"].low == pytest.approx(2 * half, rel=0.1)
    assert found["right"] == Estimate(0, 0, 0)
    few = estimate_cers(texts[: MIN_LINES - 1], {"mine": edits[: MIN_LINES - 1]})["mine"]
    assert few.low == few.value == few.high
