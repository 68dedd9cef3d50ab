from pipeline.report.analysis.confusions import best_result, confusion_table
from tests.report.results import make_result


def test_only_substitutions_are_counted() -> None:
    table = confusion_table(make_result(["aab", "o b", "xy"], ["abb", "Oxb", "y"], "own"))
    assert table.values.tolist() == [["a", "b"], ["o", "O"], ["␣", "x"]]


def test_only_the_most_frequent_characters_are_shown() -> None:
    table = confusion_table(make_result(["ooo", "l1"], ["OO0", "1l"], "own"), shown=2)
    assert table.values.tolist() == [["o", "O"], ["o", "O"]]


def test_a_table_without_confusions_has_a_row_that_dvc_can_draw() -> None:
    assert confusion_table(make_result(["ab"], ["ab"], "own")).values.tolist() == [["''", "''"]]


def test_the_best_result_has_the_lowest_rate() -> None:
    results = [make_result(["ab"], ["ab"], key, test_cer=cer) for key, cer in [("a", 0.5), ("b", 0.25), ("c", 0.75)]]
    assert best_result(results).key == "b"
