import pytest

from pipeline.report.figures.charts import make_style
from pipeline.report.pages.error_analysis import SHOWN_CHARACTERS, Errors, find_errors
from tests.report.results import make_result
from tests.tiny import tiny_lines

TEXTS = ["oo", "a", "abcd fg", "."]
DATA = {"own": tiny_lines(TEXTS), "other": tiny_lines(["longer", *TEXTS], overlap=0.3)}


def errors(predictions: list[str]) -> Errors:
    best = make_result(TEXTS, predictions, "best")
    other = make_result(DATA["other"].texts, [""] * 5, "other", lines="other")
    styles = {"best": make_style(0, "ce"), "other": make_style(1, "ce")}
    return find_errors([other, best], best, DATA, styles)


def test_edits_are_counted_for_each_experiment() -> None:
    found = errors(["O0", "a", "abcd fg", ""])
    assert list(found.counts) == ["other", "best"]
    assert found.counts["best"].total == 3
    assert found.counts["other"].deleted == 6 + 2 + 1 + 7 + 1


def test_a_breakdown_has_all_bins_in_order() -> None:
    found = errors(["O0", "a", "abcd fg", ""])
    assert found.lengths.labels == [str(n) for n in range(1, 8)]
    assert found.lengths.bins["best"][0].rate == 0.5
    assert all(one.rate in (1, None) for one in found.lengths.bins["other"])
    pixels = [int(label) for label in found.overlaps.labels]
    assert pixels == sorted(pixels)
    assert pixels[0] == 0 < pixels[-1] <= 8


def test_the_best_experiment_is_analysed_in_detail() -> None:
    found = errors(["O0", "a", "abcd fg", ""])
    assert [(one.character, one.misread) for one in found.characters] == [("o", 2), (".", 1)]
    assert [(one.true, one.predicted, one.count) for one in found.confusions] == [("o", "0", 1), ("o", "O", 1)]
    assert [one.pictures[0].alt for one in found.confusions] == ["o in “oo”, read as 0", "o in “oo”, read as O"]
    assert SHOWN_CHARACTERS > 2


@pytest.mark.parametrize("predictions", [TEXTS, ["", "", "", ""]])
def test_all_correct_and_all_empty_predictions(predictions: list[str]) -> None:
    found = errors(predictions)
    assert found.confusions == []
    assert bool(found.characters) == (predictions != TEXTS)
