import numpy as np
import pytest

from pipeline.decoding.candidates import Candidates
from pipeline.decoding.confidence import (
    Agreement,
    Bin,
    calibration_error,
    character_agreement,
    fit_temperature,
    line_agreement,
    reliability_bins,
    unedited,
)

WEIGHTS = np.array([[4, 2, 1], [3, 1, 0], [1, 0, 0]])
CANDIDATES = Candidates([["cat", "cut", "at"], ["a", ""], [""]], np.log(WEIGHTS + 1e-300))


def test_confidence_of_a_line_is_its_fraction_of_the_weight() -> None:
    lines = line_agreement(CANDIDATES)
    assert lines.confidence(1).tolist() == pytest.approx([4 / 7, 3 / 4, 1])
    assert lines.confidence(0.5).tolist() == pytest.approx([16 / 21, 9 / 10, 1])


def test_confidence_of_a_character_is_the_fraction_of_the_weight_that_agrees() -> None:
    assert character_agreement(CANDIDATES).confidence(1).tolist() == pytest.approx([6 / 7, 5 / 7, 7 / 7, 3 / 4])


@pytest.mark.parametrize(
    ("text", "other", "left"),
    [
        ("cat", "cat", [1, 1, 1]),
        ("cat", "at", [0, 1, 1]),
        ("cat", "chat", [1, 1, 1]),
        ("ab", "", [0, 0]),
        ("", "a", []),
    ],
)
def test_unedited_characters(text: str, other: str, left: list[int]) -> None:
    assert unedited(text, other).tolist() == list(map(bool, left))


@pytest.mark.parametrize("true", [0.5, 1.0, 2.0, 4.0])
def test_fit_recovers_the_true_temperature(true: float) -> None:
    rng = np.random.default_rng(0)
    scores = -np.sort(rng.exponential(3, (20_000, 4)), axis=1)
    agreement = Agreement(np.eye(4, dtype=bool)[np.zeros(len(scores), dtype=int)], scores)
    right = rng.random(len(scores)) < agreement.confidence(true)
    assert fit_temperature(agreement, right) == pytest.approx(true, rel=0.1)


def test_reliability_by_hand() -> None:
    sure, right = np.array([0.05, 0.95, 0.91, 1.0, 0.55]), np.array([False, True, True, False, True])
    bins = reliability_bins(sure, right)
    assert bins == [
        Bin(1, pytest.approx(0.05), 0.0),
        Bin(1, pytest.approx(0.55), 1.0),
        Bin(3, pytest.approx(2.86 / 3), pytest.approx(2 / 3)),
    ]
    assert calibration_error(bins) == pytest.approx((0.05 + 0.45 + 3 * (2.86 / 3 - 2 / 3)) / 5)


def test_calibration_error_without_predictions_is_zero() -> None:
    assert calibration_error(reliability_bins(np.zeros(0), np.zeros(0, dtype=bool))) == 0
