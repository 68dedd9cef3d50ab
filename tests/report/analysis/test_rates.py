import numpy as np
import pytest
import torch

from pipeline.metrics.epoch import EpochMetrics
from pipeline.metrics.folding import fold_case
from pipeline.report.analysis.rates import RATES, TRANSCRIBED_RATES, lay_errors, line_sums, resample_rates

TEXTS = ["ab", "Cat sat", "a", "mm nn"]
PREDICTIONS = ["ab", "cat", "", "mm nnnn o"]


def test_rates_match_the_metrics() -> None:
    rates = resample_rates(TEXTS, {"mine": [PREDICTIONS]})["mine"]
    metric = EpochMetrics()
    metric.update(PREDICTIONS, TEXTS, torch.zeros(4, 9), torch.zeros(4, 9))
    measured = metric.compute()
    for name in ("cer", "cer_lab", "wer", "exact"):
        assert rates[name].value == pytest.approx(measured[name])
        assert rates[name].low < rates[name].value < rates[name].high


def test_rates_by_hand() -> None:
    rates = resample_rates(TEXTS, {"mine": [PREDICTIONS]})["mine"]
    assert rates["cer"].value == pytest.approx((0 + 5 + 1 + 4) / 15)
    assert rates["cer_folded"].value == pytest.approx((0 + 4 + 1 + 4) / 15)
    assert rates["cer_lab"].value == pytest.approx((0 + 5 / 7 + 1 + 4 / 9) / 4)
    assert rates["wer"].value == pytest.approx((0 + 2 + 1 + 2) / 6)
    assert rates["exact"].value == pytest.approx(1 / 4)
    assert set(rates.measured) == set(RATES)


def test_the_rate_of_a_resample_is_a_ratio_of_sums() -> None:
    # Of two lines, one right with 1 character and one wrong with 3, a resample has both, the one twice or the other.
    rates = resample_rates(["a", "bcd"], {"mine": [["a", ""]]})["mine"]
    assert set(np.round(rates.resampled["cer"], 6)) == {0, 0.75, 1}
    assert (rates["cer"].low, rates["cer"].value, rates["cer"].high) == (0, 0.75, 1)


def test_accuracies_are_resampled_if_their_sums_are_known() -> None:
    rng = np.random.default_rng(0)
    right = rng.integers(0, 2, 400).astype(float)
    sums = {"hits": 7 + right, "positions": np.full(400, 8.0), "text_hits": right, "text_positions": np.ones(400)}
    rates = resample_rates(["a"] * 400, {"mine": [["a"] * 400], "other": [["b"] * 400]}, {"mine": sums})
    text, all_positions = rates["mine"]["accuracy_text"], rates["mine"]["accuracy"]
    assert text.value == pytest.approx(right.mean())
    assert all_positions.value == pytest.approx((7 + right.mean()) / 8)
    half = 1.96 * (0.5 * 0.5 / 400) ** 0.5
    assert (text.high - text.low) / 2 == pytest.approx(half, rel=0.1)
    assert all_positions.high - all_positions.low == pytest.approx((text.high - text.low) / 8)
    assert set(rates["other"].measured) == set(RATES)


@pytest.mark.parametrize("predictions", [[""], ["a"], ["b"], ["bcdef"]])
def test_one_line_of_one_character(predictions: list[str]) -> None:
    rates = resample_rates(["a"], {"mine": [predictions]})["mine"]
    for name in RATES:
        assert rates[name].low == rates[name].value == rates[name].high


def test_lines_without_words_count_no_words() -> None:
    assert resample_rates([" "], {"mine": [[""]]})["mine"]["wer"].value == 0


def test_intervals_do_not_depend_on_other_experiments() -> None:
    alone = resample_rates(TEXTS, {"mine": [PREDICTIONS]})["mine"]
    among = resample_rates(TEXTS, {"other": [TEXTS], "mine": [PREDICTIONS]})["mine"]
    for name in RATES:
        assert alone[name] == among[name]


def test_a_difference_is_paired() -> None:
    rng = np.random.default_rng(0)
    texts = ["abcdefgh"] * 400
    # Lines are hard or easy for both; the second reads one character less of every fourth.
    right = rng.integers(1, 9, 400)
    first = [text[:n] for text, n in zip(texts, right, strict=True)]
    second = [prediction[: -1 if i % 4 == 0 else None] for i, prediction in enumerate(first)]
    rates = resample_rates(texts, {"first": [first], "second": [second]})
    found = rates["second"].minus(rates["first"], "cer")
    assert found.value == pytest.approx(1 / 32)
    assert found.excludes_zero
    half = 1.96 * (0.25 * 0.75 / 400) ** 0.5 / 8
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)
    alone = rates["first"]["cer"]
    assert found.high - found.low < (alone.high - alone.low) / 5


def test_a_difference_changes_its_sign_with_the_order() -> None:
    rates = resample_rates(TEXTS, {"a": [PREDICTIONS], "b": [["ab", "Cat", "a", "mm"]]})
    there, back = rates["a"].minus(rates["b"], "cer"), rates["b"].minus(rates["a"], "cer")
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))
    same = rates["a"].minus(rates["a"], "cer")
    assert (same.value, same.low, same.high, same.excludes_zero) == (0, 0, 0, False)


def test_sums_have_a_number_for_every_line() -> None:
    sums = line_sums(TEXTS, PREDICTIONS)
    assert {name: values.shape for name, values in sums.items()} == dict.fromkeys(sums, (4,))
    assert {part for rate in RATES.values() for part in rate} == set(sums)


def test_errors_are_laid_on_the_characters_where_they_stand() -> None:
    # Two edits of one line, one of them of the case alone.
    texts, predictions = ["ab cd", "ab"], ["aB cX", "ab"]
    in_text = np.array([[True] * 5, [True] * 2 + [False] * 3])
    laid = lay_errors(texts, [predictions], np.array([2.0, 0.0]), in_text, str)
    assert laid.tolist() == [[0, 1, 0, 0, 1], [0] * 5]
    folded = lay_errors(texts, [predictions], np.array([1.0, 0.0]), in_text, fold_case)
    assert folded.tolist() == [[0, 0, 0, 0, 1], [0] * 5]
    both_seeds = lay_errors(texts, [predictions, texts], np.array([0.2, 0.0]), in_text, str)
    assert both_seeds.tolist() == [[0, 0.1, 0, 0, 0.1], [0] * 5]


def test_a_hard_image_in_many_lines_widens_all_intervals() -> None:
    texts = ["ab", "cb"] * 50
    # Half of the lines have an image of b that is always misread.
    images = np.tile(np.array([[1, 3], [2, 4]], np.int32), (50, 1))
    images[:, 0] = np.arange(100) + 10
    predictions = [text[0] + ("X" if number == 3 else "b") for text, number in zip(texts, images[:, 1], strict=True)]
    alone = resample_rates(texts, {"mine": [predictions]})["mine"]
    together = resample_rates(texts, {"mine": [predictions]}, image_numbers=images)["mine"]
    for name in RATES:
        assert together.measured[name] == alone.measured[name]
        assert together[name].high - together[name].low > 2 * (alone[name].high - alone[name].low)
        assert together[name].low <= together[name].value <= together[name].high


def test_unknown_images_leave_the_lines_alone() -> None:
    unknown = np.full((4, 9), -1, np.int32)
    with_numbers = resample_rates(TEXTS, {"mine": [PREDICTIONS]}, image_numbers=unknown)["mine"]
    assert all(with_numbers[name] == resample_rates(TEXTS, {"mine": [PREDICTIONS]})["mine"][name] for name in RATES)


def test_folded_rates_of_transcribed_lines_draw_whole_groups() -> None:
    texts, groups = ["Ét.", "ab", "ab", "ab"], ["x", "x", "y", "y"]
    rates = resample_rates(texts, {"mine": [["et", "ab", "ab", "ab"]]}, groups=groups)["mine"]
    assert set(rates.measured) == set(TRANSCRIBED_RATES)
    measured = {name: rates[name].value for name in rates.measured}
    assert measured["cer"] == pytest.approx(2 / 9)
    assert measured["cer_folded"] == pytest.approx(2 / 9)  # É is another letter than e
    assert measured["cer_no_accents"] == pytest.approx(2 / 9)  # E and the full stop
    assert measured["cer_no_punctuation"] == pytest.approx(1 / 8)
    assert measured["cer_plain"] == 0
    # A resample has both groups, or one of them twice.
    assert set(np.round(rates.resampled["cer_no_accents"], 6)) == {0, np.round(2 / 9, 6), 0.4}
    assert set(np.round(rates.resampled["cer_no_punctuation"], 6)) == {0, 0.125, 0.25}
    assert rates["cer_plain"].low == rates["cer_plain"].high == 0


def test_differences_of_folded_rates_are_paired_by_group() -> None:
    texts, groups = ["éa", "ba", "éa", "ba"], ["x", "x", "y", "y"]
    plain = ["ea", "ba", "ea", "ba"]
    rates = resample_rates(texts, {"plain": [plain], "marked": [["éa", "xa", "éa", "xa"]]}, groups=groups)
    change = rates["plain"].minus(rates["marked"], "cer_no_accents")
    # Both groups have the same errors, so that no resample changes anything.
    assert (change.value, change.low, change.high) == pytest.approx((-0.25, -0.25, -0.25))
    assert rates["plain"].minus(rates["marked"], "cer").value == 0


def test_one_group_alone_is_resampled_by_line() -> None:
    alone = resample_rates(TEXTS, {"mine": [PREDICTIONS]}, groups=["x"] * 4)["mine"]
    without = resample_rates(TEXTS, {"mine": [PREDICTIONS]})["mine"]
    assert alone["cer"] == without["cer"]
    assert alone["cer"].low < alone["cer"].high
