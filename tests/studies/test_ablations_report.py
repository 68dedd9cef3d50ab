"""The table and the picture of a report on ablations."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.common.errors import InputError
from pipeline.report.analysis.rates import resample_rates
from pipeline.report.analysis.results import Result
from pipeline.runtime.timings import Timing
from pipeline.studies.ablations_report import (
    HIGHER,
    LOWER,
    Spread,
    ablation_table,
    cer_by_seed,
    draw_ablations,
    format_table,
    half_interval,
    pooled_spread,
)
from tests.report.results import make_result

TEXTS = ["abcde", "fghij"]
CHANGES = {"base": {}, "small": {"model.conv_dim": 2}}


def result(key: str, *predictions: list[str]) -> Result:
    """A result with one model for each list of predictions of `TEXTS`."""
    made = make_result(TEXTS, predictions[0], key=key)
    by_seed = {42 + number: read for number, read in enumerate(predictions)}
    return replace(made, by_seed=by_seed, trained=Timing({str(seed): 90.0 for seed in by_seed}, "fp32", "x86_64"))


RESULTS = [
    result("base", ["abcde", "fghij"], ["abcdX", "fghij"]),  # 0 and 1 of 10
    result("small", ["abcDE", "fghij"], ["abcXX", "fghXj"]),  # 2, which only differ in case, and 3
]


def test_spread_within_groups_is_pooled() -> None:
    # Squares: 2 of two with means apart from them by 1, and 8 of three.
    found = pooled_spread([[1.0, 3.0], [10.0, 12.0, 14.0], [5.0]])
    assert found.freedom == 3
    assert found.deviation == pytest.approx(math.sqrt((2 + 8) / 3))


def test_one_seed_each_has_no_spread() -> None:
    with pytest.raises(InputError, match="needs at least 2"):
        pooled_spread([[1.0], [2.0]])


def test_the_half_interval_by_hand() -> None:
    # The 97.5 % quantile with 4 degrees of freedom is 2.776, as tables have it.
    assert half_interval(Spread(0.03, 4), 2, 0.04) == pytest.approx(2.776 * 0.05, rel=1e-3)


@pytest.mark.parametrize(("groups", "seeds"), [(2, 2), (10, 2), (3, 4)])
def test_the_interval_covers_95_percent_of_true_differences(groups: int, seeds: int) -> None:
    rng = np.random.default_rng(groups)
    within = 0
    for _ in range(3000):
        rates = rng.normal(0.05, 0.002, size=(groups, seeds))
        half = half_interval(pooled_spread(rates.tolist()), seeds, 0.0)
        within += abs(rates[1].mean() - rates[0].mean()) <= half
    assert within / 3000 == pytest.approx(0.95, abs=0.015)


def test_the_rates_of_each_seed() -> None:
    assert [cer_by_seed(one) for one in RESULTS] == [[0.0, 0.1], [0.2, 0.3]]


def make_table() -> pd.DataFrame:
    rates = resample_rates(TEXTS, {one.key: list(one.by_seed.values()) for one in RESULTS})
    return ablation_table(RESULTS, CHANGES, rates, Spread(0.02, 7))


def test_the_table() -> None:
    table = make_table()
    base, small = table.to_dict("records")
    assert base == {
        "experiment": "base",
        "changed": "",
        "test_cer": 0.05,
        "test_cer_folded": 0.05,
        "difference": 0.0,
        "low": 0.0,
        "high": 0.0,
        "minutes": 1.5,
        "seed_42": 0.0,
        "seed_43": 0.1,
    }
    assert (small["changed"], small["test_cer"]) == ("model.conv_dim: 2", 0.25)
    assert small["difference"] == pytest.approx(0.2)
    assert (small["seed_42"], small["seed_43"]) == (0.2, 0.3)
    half = small["high"] - small["difference"]
    assert half == pytest.approx(small["difference"] - small["low"])
    # The first line is worse by 1.5 of 5 characters and the second by 0.5; a quarter of the resamples has either alone.
    lines_error = (0.3 - 0.1) / (2 * 1.959964)
    assert half == pytest.approx(2.364624 * math.hypot(0.02, lines_error), rel=1e-5)


def test_the_formatted_table() -> None:
    table = make_table().assign(low=0.12, high=0.48)
    base, small = format_table(table).to_dict("records")
    assert list(base.values()) == ["`base`", "", "5.00 %", "5.00 %", "", "1.5"]
    assert list(small.values()) == [
        "`small`",
        "`model.conv_dim: 2`",
        "25.00 %",
        "15.00 %",
        "+20.00 (+12.00 to +48.00)",
        "1.5",
    ]


def test_the_picture_shows_what_is_better_and_what_is_worse(tmp_path: Path) -> None:
    rows = {
        "experiment": ["base", "better", "worse"],
        "difference": [0.0, -0.02, 0.01],
        "low": [0.0, -0.03, 0.005],
        "high": [0.0, -0.01, 0.015],
    }
    draw_ablations(tmp_path / "drawn.png", pd.DataFrame(rows))
    pixels = np.array(Image.open(tmp_path / "drawn.png").convert("RGB"))
    places = {}
    for colour in (HIGHER, LOWER):
        rgb = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
        found = np.argwhere((pixels == rgb).all(2))
        places[colour] = found.mean(0)
    assert places[HIGHER][0] < places[LOWER][0]  # the worst at the top
    assert places[HIGHER][1] > places[LOWER][1]  # higher rates to the right
