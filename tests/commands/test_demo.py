"""The demo's table: what is expected of a run, how it is told, and the committed table itself."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.commands.demo import PAGE, TABLE, demo_page, demo_table, expected, main, read_table, verdicts
from pipeline.common.errors import InputError
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


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "reports").mkdir()
    (tmp_path / "timings").mkdir()
    COMPARISON.to_csv(tmp_path / "reports/comparison.csv", index=False)
    (tmp_path / "timings/one_train.json").write_text(json.dumps({"machine": "a machine"}))
    return tmp_path


@pytest.mark.parametrize("seeds", [2, 3, 10])
def test_one_more_training_is_within_95_times_of_100(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    trainings = rng.normal(0.5, 0.02, size=(4000, seeds + 1))
    within = 0
    for *known, new in trainings.tolist():
        low, high = expected(float(np.mean(known)), float(np.std(known, ddof=1)), 0.0, seeds)
        within += low <= new <= high
    assert within / len(trainings) == pytest.approx(0.95, abs=0.012)


def test_the_lines_widen_what_is_expected() -> None:
    reach = 4.302653 * 0.01  # the 97.5 % quantile with two degrees of freedom, as tables have it
    assert expected(0.2, 0.0, 0.01, 3) == pytest.approx((0.2 - reach, 0.2 + reach))
    assert expected(0.01, 0.03, 0.01, 3)[0] == 0.0


@pytest.mark.parametrize("seeds", [0, 1])
def test_the_spread_needs_seeds(seeds: int) -> None:
    with pytest.raises(InputError, match="at least 2 seeds"):
        expected(0.2, 0.01, 0.01, seeds)


def test_each_experiment_is_judged(workspace: Path) -> None:
    kept = demo_table(workspace)
    assert list(kept["machine"]) == ["a machine"] * 2
    run = pd.DataFrame({"experiment": ["another", "new", "one"], "test_cer": [0.05, 0.9, 0.3]})
    head, one, another, count = verdicts(run, kept)
    assert "built-in glyphs, not EMNIST" in head
    assert one.split() == ["one", "30.0%", "14.6–25.4%", "OUTSIDE"]
    assert another.split()[-1] == "within"
    assert "1 of 2 experiments" in count


def run_in(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["pipeline.commands.demo", *arguments])
    main()


def test_the_page_is_written(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_in(workspace, monkeypatch, "--keep", ".")
    page = (workspace / PAGE).read_text(encoding="utf-8")
    assert "| `one` | ce | aligned | 20.0 % ± 1.0 % | 14.6–25.4 % |" in page
    assert page.startswith("# The demo's table\n\n**Built-in glyphs, not EMNIST.**")


def test_comparing_writes_nothing(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    demo_table(workspace).to_csv(workspace / TABLE, index=False)
    before = {path: path.stat().st_mtime_ns for path in workspace.rglob("*")}
    run_in(workspace, monkeypatch, ".")
    assert {path: path.stat().st_mtime_ns for path in workspace.rglob("*")} == before
    assert "2 of 2 experiments" in capsys.readouterr().out


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run `make demo`"):
        read_table(tmp_path / "comparison.csv", "make demo")


def test_the_committed_page_has_the_numbers_of_the_committed_table() -> None:
    table = read_table(ROOT / TABLE, "make demo-report")
    assert (ROOT / PAGE).read_text(encoding="utf-8") == demo_page(table)
    assert list(table["experiment"]) == list(profile_params("demo")["experiments"])
