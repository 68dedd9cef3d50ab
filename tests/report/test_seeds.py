"""Experiments with several seeds in the report."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipeline.report.analysis.bootstrap import Cells
from pipeline.report.analysis.rates import RATES, SEED, resample_rates
from pipeline.report.figures.charts import make_style
from pipeline.report.figures.curves import draw_curves, summarize
from pipeline.report.pages.html import duration
from pipeline.runtime.timings import Timing
from tests.report.figures.test_charts import svg
from tests.report.results import HISTORY, make_result

TEXTS = ["ab", "Cat sat", "a", "mm nn"]
FIRST, SECOND = ["ab", "cat", "", "mm nnnn o"], ["b", "Cat sat", "a", "mm"]


def test_rates_are_means_over_seeds() -> None:
    both = resample_rates(TEXTS, {"mine": [FIRST, SECOND]})["mine"]
    alone = [resample_rates(TEXTS, {"mine": [one]})["mine"] for one in (FIRST, SECOND)]
    for name in RATES:
        assert both[name].value == pytest.approx(np.mean([one[name].value for one in alone]))
        assert both.resampled[name] == pytest.approx(np.mean([one.resampled[name] for one in alone], axis=0))
    assert both["cer"].value == pytest.approx(((0 + 5 + 1 + 4) + (1 + 0 + 0 + 3)) / 2 / 15)


def test_intervals_resample_the_means_of_lines() -> None:
    both = resample_rates(TEXTS, {"mine": [FIRST, SECOND]})["mine"]
    edits, characters = np.array([0.5, 2.5, 0.5, 3.5]), np.array([2.0, 7.0, 1.0, 5.0])
    parts, wholes = Cells(TEXTS).resample(edits[None], characters[None], np.random.default_rng(SEED))
    low, high = np.quantile(parts / wholes, [0.025, 0.975])
    assert (both["cer"].low, both["cer"].high) == pytest.approx((low, high))


def test_two_equal_seeds_give_the_rates_of_one() -> None:
    once, twice = (resample_rates(TEXTS, {"mine": [FIRST] * count})["mine"] for count in (1, 2))
    assert all(once[name] == twice[name] for name in RATES)


def test_every_seed_has_a_curve_and_a_row() -> None:
    one = make_result(["a"], ["a"], "mine")
    later = pd.DataFrame({**HISTORY, "val_loss": [2.5, 3.5]}).assign(seed=7)
    two = dataclasses.replace(
        one,
        history=pd.concat([one.history, later]),
        by_seed={42: ["a"], 7: ["b"]},
        trained=Timing({"42": 30.0, "7": 90.0}, "fp32", "x86_64"),
    )
    style = {"mine": make_style(0, "ce")}
    counts = [svg(draw_curves([result], style)[0]).count(style["mine"].colour) for result in (one, two)]
    assert counts[1] == 2 * counts[0] > 0
    found = [(row.seed, row.seconds, row.epochs, row.kept_epoch, row.val_loss) for row in summarize(two)]
    assert found == [(42, 30.0, 2, 2, 2.5), (7, 90.0, 2, 1, 3.5)]
    assert two.predictions == ["a"]


@pytest.mark.parametrize(("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (90, "1.5 min"), (9000, "2.5 h")])
def test_durations_have_a_unit(seconds: float, text: str) -> None:
    assert duration(seconds).replace("\N{NO-BREAK SPACE}", " ") == text
