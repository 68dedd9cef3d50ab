import pytest

from pipeline.report.figures.charts import style_of
from pipeline.report.pages.error_analysis import CHARACTERS, Errors, find_errors
from tests.report.results import make_result
from tests.tiny import tiny_lines

TEXTS = ["oo", "a", "abcd fg", "."]
DATA = {"own": tiny_lines(TEXTS), "other": tiny_lines(["longer", *TEXTS], overlap=0.3)}


def errors(readings: list[str]) -> Errors:
    best = make_result(TEXTS, readings, "best")
    other = make_result(DATA["other"].texts, [""] * 5, "other", lines="other")
    styles = {"best": style_of(0, "ce"), "other": style_of(1, "ce")}
    return find_errors([other, best], best, DATA, styles)


def test_edits_are_counted_for_every_experiment() -> None:
    found = errors(["O0", "a", "abcd fg", ""])
    assert list(found.counts) == ["other", "best"]
    assert found.counts["best"].total == 3
    assert found.counts["other"].deleted == 6 + 2 + 1 + 7 + 1


def test_the_numbers_of_a_chart_have_every_bin_in_order() -> None:
    found = errors(["O0", "a", "abcd fg", ""])
    assert found.lengths.labels == [str(n) for n in range(1, 8)]
    assert found.lengths.bins["best"][0].rate == 0.5
    assert all(one.rate in (1, None) for one in found.lengths.bins["other"])
    pixels = [int(label) for label in found.overlaps.labels]
    assert pixels == sorted(pixels)
    assert pixels[0] == 0 < pixels[-1] <= 8


def test_the_best_is_looked_at_closer() -> None:
    found = errors(["O0", "a", "abcd fg", ""])
    assert [(one.character, one.misread) for one in found.characters] == [("o", 2), (".", 1)]
    assert [(one.said, one.read, one.count) for one in found.confusions] == [("o", "0", 1), ("o", "O", 1)]
    assert [one.pictures[0].alt for one in found.confusions] == ["o in “oo”, read as 0", "o in “oo”, read as O"]
    assert CHARACTERS > 2


@pytest.mark.parametrize("readings", [TEXTS, ["", "", "", ""]])
def test_all_right_and_nothing_read(readings: list[str]) -> None:
    found = errors(readings)
    assert found.confusions == []
    assert bool(found.characters) == (readings != TEXTS)
