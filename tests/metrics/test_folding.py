import pytest

from pipeline.metrics.error_rates import text_error_rates
from pipeline.metrics.folding import FOLDED_RATES, drop_accents, drop_punctuation, fold_all, fold_case, folded_sums
from pipeline.metrics.groups import MEDIAN, group_members, median_group_cer, transcribed_rates

TEXTS = ["L'Été, là.", "Oui !", "a b"]
PREDICTIONS = ["l’ete la", "oui", "a"]


@pytest.mark.parametrize(
    ("text", "small", "plain", "bare"),
    [
        ("Ça", "ça", "Ca", "Ça"),
        ("Île", "île", "Ile", "Île"),
        ("e\u0301", "e\u0301", "e", "e\u0301"),
        ("Œuf ø", "œuf ø", "Œuf ø", "Œuf ø"),
        ("l'an, 2 !", "l'an, 2 !", "l'an, 2 !", "lan 2"),
        ("« Oui… »", "« oui… »", "« Oui… »", "Oui"),
        ("3 € + 1°", "3 € + 1°", "3 € + 1°", "3 € + 1°"),
        ("한글", "한글", "한글", "한글"),
        ("ガ", "ガ", "ガ", "ガ"),
    ],
)
def test_each_folding_takes_one_thing_away(text: str, small: str, plain: str, bare: str) -> None:
    assert (fold_case(text), drop_accents(text), drop_punctuation(text)) == (small, plain, bare)


def test_letters_with_a_longer_small_form_stay() -> None:
    assert fold_case("Aß") == "aß"


def test_all_foldings_at_once() -> None:
    assert fold_all("L'ÉTÉ, là-bas.") == "lete labas"


def test_folded_rates_by_hand() -> None:
    rates = transcribed_rates(PREDICTIONS, TEXTS, ["x", "x", "y"])
    # Line 1: L, ', É, é, the comma, à and the full stop are wrong. Line 2: O, and a space and a mark are missing.
    assert text_error_rates(PREDICTIONS, TEXTS)["cer"] == pytest.approx((7 + 3 + 2) / (10 + 5 + 3))
    assert rates["cer_folded"] == pytest.approx((6 + 2 + 2) / 18)
    assert rates["cer_no_accents"] == pytest.approx((5 + 3 + 2) / 18)
    assert rates["cer_no_punctuation"] == pytest.approx((4 + 1 + 2) / (7 + 3 + 3))
    assert rates["cer_plain"] == pytest.approx((0 + 0 + 2) / 13)
    # Of two groups: (7 + 3) / 15 and 2 / 3.
    assert rates[MEDIAN] == pytest.approx(2 / 3)


def test_sums_have_a_number_for_every_line() -> None:
    sums = folded_sums(PREDICTIONS, TEXTS)
    assert {name for parts in FOLDED_RATES.values() for name in parts} == set(sums)
    assert sums["cer_plain_characters"].tolist() == [7, 3, 3]
    assert set(folded_sums(PREDICTIONS, TEXTS, ["cer_folded"])) == set(FOLDED_RATES["cer_folded"])


def test_lines_of_punctuation_alone_count_what_is_inserted() -> None:
    assert transcribed_rates(["x"], ["..."], ["a"])["cer_plain"] == 1
    assert transcribed_rates(["!"], ["..."], ["a"])["cer_plain"] == 0


def test_the_median_group_is_not_the_median_line() -> None:
    texts, groups = ["abcd", "abcd", "ab", "abcd"], ["x", "x", "y", "z"]
    # 5 of 8 characters, 0 of 2, 1 of 4.
    assert median_group_cer([4, 1, 0, 1], texts, groups) == 0.25
    assert group_members(groups) == {"x": [0, 1], "y": [2], "z": [3]}
