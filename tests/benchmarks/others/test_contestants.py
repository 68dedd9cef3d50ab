"""Turns, and the table of what the contestants did."""

import math

import pytest

from benchmarks.others.contestants import COLD_START, RATES, READING, SYNTHESIS, Contestant, make_table, measure


def idle() -> tuple[float, list[str]]:
    return 0.0, []


def test_short_work_is_repeated_in_a_round() -> None:
    contestant = Contestant(READING, "ours", lambda: (0.2, ["a"]))
    contestant.measure()
    assert contestant.seconds == [pytest.approx(0.2)]
    measure([contestant], rounds=3)
    assert len(contestant.seconds) == 3  # the first round only warms up


def test_rates_and_errors_are_in_the_table() -> None:
    contestants = [
        Contestant(READING, "ours, width 8", idle, [0.5, 1.0], ["ab", "cx"]),
        Contestant(RATES, "jiwer 4", idle, [0.5], ["0.25"]),
        Contestant(COLD_START, "ours", idle, [4.0], ["ab"]),
        Contestant(SYNTHESIS, "ours", idle, [0.1]),
    ]
    reading, rates, cold_start, synthesis = make_table(contestants, ["ab", "cd"]).to_dict("records")
    assert (reading["lines_per_second"], reading["slowest"], reading["fastest"]) == pytest.approx((8 / 3, 2, 4))
    assert (cold_start["lines_per_second"], synthesis["lines_per_second"]) == pytest.approx((0.25, 20))  # one line
    assert (reading["cer"], rates["cer"], cold_start["cer"]) == (0.25, 0.25, 0)
    assert math.isnan(synthesis["cer"])
