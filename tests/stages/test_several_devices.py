"""The stage `train` on several devices: two processes on a CPU."""

import subprocess
from pathlib import Path

import pandas as pd
import pytest
import torch

from pipeline.models.checkpoint import load_checkpoint
from pipeline.tracking.store import open_store
from tests.imports import ROOT
from tests.projects import Project

KEY = "cnn_ctc_variable"
SEEDS = [42, 7]
TWO = {"accelerator": "cpu", "precision": "32-true", "devices": 2, "strategy": "ddp"}


@pytest.fixture(params=[1, 2], ids=["gradients", "weights"])
def trained(tracked: Project, request: pytest.FixtureRequest, quick_python: str) -> str:
    """The output of the stage."""
    steps = request.param
    tracked.change(training={"seeds": SEEDS, "max_epochs": 2, "batch_size": 10, "trainer": TWO, "local_steps": steps})
    for stage in (("check",), ("download",), ("corpus",), ("synthesize", "variable")):
        tracked.run(*stage)
    tracked.monkeypatch.setenv("PYTHONPATH", str(ROOT))
    python = f"{quick_python}/python"  # which starts the second process in the ordinary way
    done = subprocess.run([python, "-m", "stages", "train", KEY], check=True, capture_output=True, text=True)
    assert "Warning" not in done.stderr
    assert "recommended" not in done.stderr
    return done.stdout


def test_each_device_takes_half_of_the_batches_and_the_results_are_kept_once(trained: str) -> None:
    history = pd.read_csv(Path("history") / f"{KEY}.csv")
    assert history["seed"].tolist() == [seed for seed in SEEDS for _ in range(2)]
    assert history["step"].tolist() == [2, 4] * 2  # 40 lines an epoch, 10 at a time on each of two devices
    assert trained.count("best of 2 epochs") == len(SEEDS)
    store = open_store()
    runs = store.client.search_runs([store.experiment_id], max_results=len(SEEDS))  # the last one first
    for run, seed in zip(runs, reversed(SEEDS), strict=True):
        assert run.data.params["training.trainer.devices"] == "2"
        assert run.data.params["seed"] == str(seed)
        last = history.loc[history["seed"] == seed, "val_cer"].iloc[-1]
        assert run.data.metrics["val_cer"] == pytest.approx(last)
        _, recognizer = load_checkpoint(Path(f"models/{KEY}/seed_{seed}.ckpt"))
        assert all(torch.isfinite(parameter).all() for parameter in recognizer.model.parameters())
