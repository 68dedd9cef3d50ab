"""A workspace of the whole pipeline under DVC, and helpers of its tests."""

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from pipeline.settings.base import read_params
from pipeline.tracking.store import open_store
from tests.imports import ROOT
from tests.projects import COMPARISON_FILES

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

KEYS = [
    "simple_ce_aligned",
    "cnn_ce_matched",
    "cnn_ctc_variable",
    "lstm_ctc_variable",
    "resnet_lstm_ctc_variable_short",
]
"""One experiment of each kind, on each data set; `make demo` runs all of the lecture's."""
PARAMS = read_params(ROOT / "params.yaml")
LEFT_OUT = [key for key in PARAMS["experiments"] if key not in KEYS]
DECODINGS = [key for key, decoding in PARAMS["decoding"].items() if decoding["experiment"] in KEYS]
LINES = list(PARAMS["lines"])
LSTM = "lstm_ctc_variable"
LSTM_DIM = f"experiments.{LSTM}.model.lstm_dim"
LSTM_STAGES = {"check", f"train@{LSTM}", f"evaluate@{LSTM}", f"decode@{LSTM}_beam", "compare", "compare_decodings"}
SHORT = "cnn_ce_matched"
"""An experiment without a beam search, so that its runs are short."""
CONV_DIM = f"experiments.{SHORT}.model.conv_dim"
REPORTS = [f"reports/{name}" for name in COMPARISON_FILES]
DECODING_REPORTS = ["reports/decoding.json", "reports/decoding.md", "reports/calibration.png"]
COMPARED = [path for path in REPORTS if "decoding" not in path and "reliability" not in path]
"""Outputs of the stage `compare`."""
EPOCHS = 2
IDENTITY = {f"GIT_{who}_{what}": "tests@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@dataclass
class Workspace:
    """A workspace with the output of its first run, git's status after it, and the ids of its MLflow runs."""

    root: Path
    environment: Mapping[str, str]
    output: str = ""
    changed: str = ""
    tracked: Sequence[str] = ()

    def run(self, *command: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True)
        assert (result.returncode != 0) == fails, f"{command}\n{result.stdout}\n{result.stderr}"
        return result

    def dvc(self, *arguments: str) -> str:
        return self.run(sys.executable, "-m", "dvc", *arguments).stdout

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments).stdout

    def save(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def restore(self) -> None:
        """Go back to the state after the first run, except for MLflow's store."""
        self.git("reset", "--quiet", "--hard")
        self.dvc("checkout")

    def status(self) -> set[str]:
        """The stages whose dependencies have changed."""
        return set(json.loads(self.dvc("status", "--json")))

    def table(self) -> pd.DataFrame:
        return pd.read_csv(self.root / "reports/comparison.csv", keep_default_na=False)

    def metrics(self, key: str) -> dict[str, Any]:
        metrics: dict[str, Any] = json.loads((self.root / f"metrics/{key}.json").read_text())
        return metrics

    def runs(self, database: Path | None = None) -> "dict[str, Run]":
        """The runs of experiments in MLflow's store by id, without those of comparisons."""
        client = self.client(database)
        experiment = client.get_experiment_by_name("emnist-lines")
        found = client.search_runs([experiment.experiment_id], "tags.source != 'compare'")
        return {run.info.run_id: run for run in found}

    def client(self, database: Path | None = None) -> "MlflowClient":
        with pytest.MonkeyPatch.context() as monkeypatch:
            # MLflow sets this variable too; the context undoes that.
            monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database or self.root / 'mlflow.db'}")
            monkeypatch.setenv("DVC_ROOT", str(self.root))
            return open_store().client

    def shown(self) -> dict[str, dict[str, str]]:
        """The rows of `dvc exp show`, by name of the experiment or by revision."""
        rows = csv.DictReader(io.StringIO(self.dvc("exp", "show", "--csv")))
        return {row["Experiment"] or row["rev"]: row for row in rows}


def stages_run(output: str) -> list[str]:
    return re.findall("^Running stage '(.*)':$", output, re.MULTILINE)


def assert_whole_run(
    workspace: Workspace,
    run: "Run",
    artifacts: Sequence[str] = ("images", "test_readings.png"),
    database: Path | None = None,
) -> None:
    """Assert that the run is finished, with pictures and model below the workspace's root."""
    assert run.info.status == "FINISHED"
    store = workspace.root / "mlruns"
    assert Path(run.info.artifact_uri).is_relative_to(store)
    assert sorted(path.name for path in Path(run.info.artifact_uri).glob("*")) == sorted(artifacts)
    (output,) = run.outputs.model_outputs
    model = Path(workspace.client(database).get_logged_model(output.model_id).artifact_location)
    assert model.is_relative_to(store)
    assert {"MLmodel", "requirements.txt"} <= {path.name for path in model.iterdir()}
