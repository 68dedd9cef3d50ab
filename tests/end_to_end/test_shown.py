"""What DVC shows after the first run."""

import json
from pathlib import Path

import pytest

from tests.end_to_end.workspace import KEYS, LSTM_DIM, Workspace


def test_dvc_shows_settings_and_metrics_side_by_side(first: Workspace) -> None:
    row = first.shown()["workspace"]
    for key in KEYS:
        assert float(row[f"{key}.cer"]) == pytest.approx(first.metrics(key)["test_cer"], abs=1e-4)
        assert row[f"experiments.{key}.model.conv_dim"] == "4"
    assert row[LSTM_DIM] == "8"


def test_dvc_shows_the_metrics_of_every_experiment(first: Workspace) -> None:
    shown = json.loads(first.dvc("metrics", "show", "--json"))
    (files,) = [revision["data"] for revision in shown.values()]
    metrics = files["reports/summary.json"]["data"]
    assert list(metrics) == KEYS
    for key in KEYS:
        assert metrics[key]["cer"] == pytest.approx(first.metrics(key)["test_cer"], abs=1e-4)
        assert metrics[key]["accuracy"] == pytest.approx(first.metrics(key)["test_accuracy"], abs=1e-4)


def test_dvc_draws_the_plots(first: Workspace, tmp_path: Path) -> None:
    first.dvc("plots", "show", "--out", str(tmp_path / "plots"))
    page = (tmp_path / "plots/index.html").read_text()
    assert "CER by experiment" in page
    for key in KEYS:
        assert f"{key}, CER on validation lines" in page
