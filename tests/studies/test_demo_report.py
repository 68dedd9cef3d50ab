"""The demo's expected error rates: the intervals, the verdicts, and the committed table itself."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.common.errors import InputError
from pipeline.studies.demo_report import (
    PAGE,
    TABLE,
    expected_page,
    expected_table,
    prediction_interval,
    read_table,
    verdicts,
)
from tests.imports import ROOT
from tests.projects import profile_params

COMPARISON = pd.DataFrame(
    {
        "experiment": ["one", "another"],
        "lines": ["aligned", "variable"],
        "loss": ["ce", "ctc"],
        "data": ["built-in glyphs, not EMNIST"] * 2,
        "test_lines": [300, 300],
        "seeds": [3, 3],
        "test_cer": [0.2, 0.01],
        "test_cer_std": [0.01, 0.03],
        "test_cer_low": [0.19, 0.005],
        "test_cer_high": [0.21, 0.015],
    }
)


def write_results(workspace: Path) -> None:
    """What a run of several seeds leaves."""
    for folder in ("reports", "timings"):
        (workspace / folder).mkdir(parents=True)
    COMPARISON.to_csv(workspace / "reports/comparison.csv", index=False)
    (workspace / "timings/one_train.json").write_text(json.dumps({"machine": "a machine"}))


@pytest.mark.parametrize("seeds", [2, 3, 10])
def test_the_interval_covers_95_percent_of_new_trainings(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    trainings = rng.normal(0.5, 0.02, size=(4000, seeds + 1))
    within = 0
    for *known, new in trainings.tolist():
        low, high = prediction_interval(float(np.mean(known)), float(np.std(known, ddof=1)), 0.0, seeds)
        within += low <= new <= high
    assert within / len(trainings) == pytest.approx(0.95, abs=0.012)


def test_the_error_over_lines_widens_the_interval() -> None:
    half = 4.302653 * 0.01  # the 97.5 % quantile with two degrees of freedom, as tables have it
    assert prediction_interval(0.2, 0.0, 0.01, 3) == pytest.approx((0.2 - half, 0.2 + half))
    assert prediction_interval(0.01, 0.03, 0.01, 3)[0] == 0.0


@pytest.mark.parametrize("seeds", [0, 1])
def test_the_spread_needs_seeds(seeds: int) -> None:
    with pytest.raises(InputError, match="at least 2 seeds"):
        prediction_interval(0.2, 0.01, 0.01, seeds)


def test_each_experiment_is_judged(tmp_path: Path) -> None:
    write_results(tmp_path)
    expected = expected_table(tmp_path)
    assert list(expected["machine"]) == ["a machine"] * 2
    run = pd.DataFrame({"experiment": ["another", "new", "one"], "test_cer": [0.05, 0.9, 0.3]})
    head, one, another, count = verdicts(run, expected)
    assert "built-in glyphs, not EMNIST" in head
    assert one.split() == ["one", "30.0%", "14.6–25.4%", "OUTSIDE"]
    assert another.split()[-1] == "within"
    assert "1 of 2 experiments" in count


def test_renamed_experiments_are_not_judged(tmp_path: Path) -> None:
    write_results(tmp_path)
    run = pd.DataFrame({"experiment": ["mine"], "test_cer": [0.3]})
    (line,) = verdicts(run, expected_table(tmp_path))
    assert line.startswith(f"demo: {TABLE} has none of these experiments")


def test_a_missing_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run `make demo`"):
        read_table(tmp_path / "comparison.csv", "make demo")


def test_the_committed_page_has_the_numbers_of_the_committed_table() -> None:
    table = read_table(ROOT / TABLE, "make demo-report")
    assert (ROOT / PAGE).read_text(encoding="utf-8") == expected_page(table)
    assert list(table["experiment"]) == list(profile_params("demo")["experiments"])
