import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.common.vocabulary import EMNIST
from pipeline.metrics.epoch import EpochMetrics
from pipeline.metrics.error_rates import (
    all_sums,
    character_error_rate,
    edit_distances,
    text_error_rates,
    word_edit_distances,
)

TEXTS = st.text("ab C", max_size=7)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=12)


def naive_distance(one: object, other: object) -> int:
    """Wagner and Fischer's table, whole."""
    a, b = list(one), list(other)  # type: ignore[call-overload]
    table = [[i + j if i * j == 0 else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i, x in enumerate(a, 1):
        for j, y in enumerate(b, 1):
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (x != y))
    return table[-1][-1]


def encode_texts(texts: list[str], length: int = 8) -> torch.Tensor:
    return torch.from_numpy(EMNIST.encode_padded(texts, length)).long()


def rates(predictions: list[str], texts: list[str], batch: int = 1000) -> dict[str, float]:
    metric = EpochMetrics()
    for i in range(0, len(texts), batch):
        read, said = predictions[i : i + batch], texts[i : i + batch]
        metric.update(read, said, encode_texts(read), encode_texts(said))
    return metric.compute()


@pytest.mark.parametrize(
    ("prediction", "target", "characters", "words"),
    [
        ("", "", 0, 0),
        ("", "abc", 3, 1),
        ("abc", "", 3, 1),
        ("kitten", "sitting", 3, 1),
        ("the cat", "the cat", 0, 0),
        ("the cat", "thecat", 1, 2),
        ("a b c", "a c", 2, 1),
        ("ab", "ba", 2, 1),
        ("A", "a", 1, 1),
        ("two  spaces ", "two spaces", 2, 0),
    ],
)
def test_distances_by_hand(prediction: str, target: str, characters: int, words: int) -> None:
    assert edit_distances([prediction], [target]).tolist() == [characters]
    assert word_edit_distances([prediction], [target]).tolist() == [words]


@given(PAIRS)
def test_distances_are_those_of_the_table(pairs: list[tuple[str, str]]) -> None:
    predictions, targets = map(list, zip(*pairs, strict=True))
    assert edit_distances(predictions, targets).tolist() == [naive_distance(p, t) for p, t in pairs]
    words = [naive_distance(p.split(), t.split()) for p, t in pairs]
    assert word_edit_distances(predictions, targets).tolist() == words


def test_no_lines_have_no_distances() -> None:
    assert edit_distances([], []).dtype == word_edit_distances([], []).dtype == np.int64
    assert len(edit_distances([], [])) == len(word_edit_distances([], [])) == 0


@given(PAIRS)
def test_the_character_error_rate_is_that_of_all_rates(pairs: list[tuple[str, str]]) -> None:
    predictions, targets = map(list, zip(*pairs, strict=True))
    assert character_error_rate(predictions, targets) == text_error_rates(predictions, targets)["cer"]


def test_no_characters_have_no_error_rate() -> None:
    assert character_error_rate([], []) == 0


def test_the_two_character_error_rates_differ() -> None:
    result = rates(["ab", "xyz", "b b"], ["abcd", "x", "b b"])
    # Edits 2, 2 and 0; target characters 4, 1 and 3; longer of each pair 4, 3 and 3.
    assert result["cer"] == pytest.approx((2 + 2 + 0) / (4 + 1 + 3))
    assert result["cer_lab"] == pytest.approx((2 / 4 + 2 / 3 + 0) / 3)
    assert result["cer"] != pytest.approx(result["cer_lab"], rel=0.1)


def test_word_error_rate_and_exact_lines() -> None:
    result = rates(["a bb c", "a", "a b", ""], ["a b c", "a", "ab", "c c c"])
    # Word edits 1, 0, 2 (one substituted, one inserted) and 3, of 3, 1, 1 and 3 words.
    assert result["wer"] == pytest.approx((1 + 0 + 2 + 3) / (3 + 1 + 1 + 3))
    assert result["exact"] == pytest.approx(1 / 4)


def test_accuracy_with_and_without_padding() -> None:
    # Of 8 positions a line: "ab" for "abc" hits 2 of the text's 3 and all 5 of padding;
    # "xbc" for "ab" hits 1 of 2 and 5 of 6.
    result = rates(["ab", "xbc"], ["abc", "ab"])
    assert result["accuracy"] == pytest.approx((2 + 5 + 1 + 5) / 16)
    assert result["accuracy_text"] == pytest.approx((2 + 1) / (3 + 2))


@pytest.mark.parametrize(
    ("prediction", "target", "cer", "cer_lab", "exact"),
    [("", "ab", 1, 1, 0), ("abc", "", 3, 1, 0), ("", "", 0, 0, 1), ("abcdef", "a", 5, 5 / 6, 0)],
)
def test_empty_texts(prediction: str, target: str, cer: float, cer_lab: float, exact: float) -> None:
    result = rates([prediction], [target])
    assert (result["cer"], result["cer_lab"], result["exact"]) == pytest.approx((cer, cer_lab, exact))


@given(PAIRS)
def test_rates_keep_their_bounds(pairs: list[tuple[str, str]]) -> None:
    predictions, targets = map(list, zip(*pairs, strict=True))
    result = rates(predictions, targets)
    assert all(0 <= result[name] <= 1 for name in ("cer_lab", "exact", "accuracy", "accuracy_text"))
    assert (result["cer"] == 0) == (result["exact"] == 1) == (predictions == targets)
    assert rates(targets, targets)["accuracy"] == 1


def test_rows_and_texts_of_these_tests_agree() -> None:
    assert [EMNIST.decode(row) for row in encode_texts(["ab C", ""]).tolist()] == ["ab C", ""]


def test_start_and_end_tokens_are_positions_of_the_text() -> None:
    targets = torch.from_numpy(EMNIST.encode_padded(["ab"], 6, wrap=True))
    sums = all_sums(["ab"], ["ab"], targets, targets)
    assert (sums["positions"], sums["text_positions"], sums["text_hits"]) == (6, 4, 4)
