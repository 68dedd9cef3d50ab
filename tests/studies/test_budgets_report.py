"""The tables and the picture of a report on budgets."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from ruamel.yaml import YAML

from pipeline.inference.seeds import mean_rates
from pipeline.metrics.error_rates import character_error_rate
from pipeline.report.analysis.rates import resample_rates
from pipeline.report.analysis.results import Result
from pipeline.report.pages.decoding import Decoding
from pipeline.runtime.timings import Timing
from pipeline.studies.budgets_chart import CURVES, draw_budgets
from pipeline.studies.budgets_report import budget_table, count_lines, format_seeds, format_table, seeds_table
from tests.projects import profile_params
from tests.report.results import make_result

TEXTS = ["abcde", "fghij"]
BUDGETS = {"long": {"training.max_epochs": 4}, "short": {}}


def result(key: str, seconds: float, *predictions: list[str]) -> Result:
    """A result with one model for each list of predictions of `TEXTS`."""
    by_seed = {42 + number: read for number, read in enumerate(predictions)}
    trained = Timing({str(seed): seconds for seed in by_seed}, "fp32", "x86_64")
    metrics = mean_rates({seed: {"test_cer": character_error_rate(read, TEXTS)} for seed, read in by_seed.items()})
    return replace(make_result(TEXTS, predictions[0], key=key), by_seed=by_seed, trained=trained, metrics=metrics)


def decoding(key: str, *predictions: list[str]) -> Decoding:
    rates = resample_rates(TEXTS, {"greedy": [TEXTS], "prediction": list(predictions)})
    by_seed = {42 + number: {"test_cer": character_error_rate(read, TEXTS)} for number, read in enumerate(predictions)}
    return Decoding(key, mean_rates(by_seed), by_seed, rates, 100.0)


RESULTS = [
    result("long", 90.0, ["abcdE", "fghij"], ["abXXX", "fghij"]),  # 1 and 3 of 10, once only in case
    result("short", 60.0, ["abcXX", "fghij"]),
]
DECODINGS = [decoding("long", TEXTS, ["abXXX", "fghij"]), decoding("short", ["abcdX", "fghij"])]


def make_table() -> pd.DataFrame:
    rates = resample_rates(TEXTS, {one.key: list(one.by_seed.values()) for one in RESULTS})
    return budget_table(RESULTS, rates, DECODINGS, BUDGETS, [40, 10])


def test_the_table_begins_with_the_shortest_training() -> None:
    short, long = make_table().to_dict("records")
    assert [short["experiment"], long["experiment"]] == ["short", "long"]
    assert [short["settings"], long["settings"]] == ["", "training.max_epochs: 4"]
    assert [short["minutes"], long["minutes"]] == [1.0, 1.5]
    assert [short["lines"], long["lines"]] == [10, 40]


def test_the_rates_by_hand() -> None:
    short, long = make_table().to_dict("records")
    assert [short["test_cer"], long["test_cer"]] == pytest.approx([0.2, 0.2])
    assert [short["test_cer_folded"], long["test_cer_folded"]] == pytest.approx([0.2, 0.15])
    assert [short["test_cer_beam"], long["test_cer_beam"]] == pytest.approx([0.1, 0.15])
    assert long["test_cer_std"] == pytest.approx(0.1 * 2**0.5)  # of 0.1 and 0.3
    assert long["test_cer_beam_std"] == pytest.approx(0.15 * 2**0.5)
    assert math.isnan(short["test_cer_std"])
    assert math.isnan(short["test_cer_beam_std"])
    # Among resamples of two lines some have the faulty line twice, and some not at all.
    assert (short["test_cer_low"], short["test_cer_high"]) == pytest.approx((0.0, 0.4))
    assert (short["test_cer_beam_low"], short["test_cer_beam_high"]) == pytest.approx((0.0, 0.2))


def test_the_formatted_table() -> None:
    short, long = format_table(make_table()).to_dict("records")
    assert list(short.values()) == [
        *("`short`", "10", "1.0"),
        *("20.00 % (0.0–40.0)", "20.00 %", "10.00 % (0.0–20.0)"),
    ]
    assert list(long.values()) == [
        *("`long`", "40", "1.5"),
        *("20.00 ± 14.14 % (2 seeds; 0.0–40.0)", "15.00 %", "15.00 ± 21.21 % (2 seeds; 0.0–30.0)"),
    ]


def test_each_training_has_a_row_of_its_own() -> None:
    table = seeds_table(RESULTS, DECODINGS)
    assert table.to_dict("list") == {
        "experiment": ["short", "long", "long"],
        "seed": [42, 42, 43],
        "minutes": [1.0, 1.5, 1.5],
        "test_cer": pytest.approx([0.2, 0.1, 0.3]),
        "test_cer_folded": pytest.approx([0.2, 0.0, 0.3]),
        "test_cer_beam": pytest.approx([0.1, 0.0, 0.3]),
    }
    assert format_seeds(table).to_dict("records")[2] == {
        "experiment": "`long`",
        "seed": 43,
        "minutes": "1.5",
        "CER": "30.00 %",
        "case folded": "30.00 %",
        "with the language model": "30.00 %",
    }


def test_the_picture_has_a_curve_for_each_rate(tmp_path: Path) -> None:
    draw_budgets(tmp_path / "budgets.png", make_table())
    with Image.open(tmp_path / "budgets.png") as picture:
        colours = set(map(tuple, np.asarray(picture.convert("RGB")).reshape(-1, 3).tolist()))
    assert {tuple(bytes.fromhex(curve.colour[1:])) for curve in CURVES} <= colours


@pytest.mark.parametrize(
    ("training", "per_epoch"), [({}, None), ({"endless": {"lines_per_epoch": 30}}, 30)], ids=["cached", "endless"]
)
def test_lines_are_counted_in_every_epoch(
    training: dict[str, object], per_epoch: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = profile_params("tiny")
    params["experiments"] = {"mine": {**params["experiments"]["cnn_ctc_variable"], "training": training}}
    YAML().dump(params, tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    epochs = 3
    history = {"epoch": list(range(epochs)), "val_loss": [1.0] * epochs}
    read = make_result(TEXTS, TEXTS, lines="variable", history=history)
    assert count_lines(read) == epochs * (per_epoch or params["lines"]["variable"]["train"])
