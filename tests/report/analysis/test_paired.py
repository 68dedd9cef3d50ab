from pipeline.report.analysis.paired import compare_pairs
from pipeline.report.analysis.rates import resample_rates
from tests.report.results import make_result

TEXTS = ["abc", "de", "f"] * 10


def test_experiments_are_compared_only_within_a_data_set() -> None:
    results = [
        make_result(TEXTS, TEXTS, "right", lines="own"),
        make_result(TEXTS, TEXTS, "elsewhere", lines="other"),
        make_result(TEXTS, [""] * 30, "wrong", lines="own"),
        make_result(TEXTS, ["abc", "de", "f"] * 10, "as_right", lines="own"),
    ]
    rates = resample_rates(TEXTS, {result.key: [result.predictions] for result in results})
    (matrix,) = compare_pairs(results, rates)
    assert (matrix.lines, matrix.keys) == ("own", ["right", "wrong", "as_right"])
    shown = [[cell and (cell.value, cell.excludes_zero) for cell in row] for row in matrix.rows]
    assert shown == [
        [None, (-1.0, True), (0.0, False)],
        [(1.0, True), None, (1.0, True)],
        [(0.0, False), (-1.0, True), None],
    ]


def test_one_experiment_alone_is_not_compared() -> None:
    result = make_result(["a"], ["b"])
    assert compare_pairs([result], resample_rates(["a"], {"mine": [["b"]]})) == []
