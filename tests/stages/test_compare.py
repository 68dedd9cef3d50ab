import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import TypeAdapter

from pipeline.common import paths
from pipeline.data.storage.line_store import LineWriter
from pipeline.metrics.folding import FOLDED_RATES
from pipeline.metrics.groups import MEDIAN
from pipeline.models.checkpoint import save_checkpoint
from pipeline.report.pages import lecture
from pipeline.runtime.timings import write_timing
from pipeline.settings.experiment import ExperimentSettings
from stages.compare import most_epochs
from tests.projects import COMPARISON_FILES, Project, profile_params, write_lines
from tests.tiny import tiny_lines, tiny_settings, tiny_training

TEXTS = ["NA", "007", "hi B"]
METRICS = {
    "test_cer": 0.25,
    "test_cer_lab": 0.2,
    "test_wer": 0.5,
    "test_exact": 0.75,
    "test_accuracy": 0.9,
    "test_accuracy_text": 0.8,
    "lines": 3,
    "parameters": 5678,
}


SETTINGS = tiny_settings("line_cnn_simple")


@pytest.fixture
def evaluated(tracked: Project) -> Project:
    """A project with two experiments on two data sets of lines that were evaluated."""
    project = tracked
    for name in ("own", "other"):
        write_lines(project.root / f"data/lines/{name}.h5", tiny_lines(TEXTS), name)
    project.params["lines"] = dict.fromkeys(("own", "other"), next(iter(project.params["lines"].values())))
    model = SETTINGS.model.model_dump()
    project.params["experiments"] = {
        "second": {"lines": "own", "loss": "ce", "model": model},
        "first": {"lines": "other", "loss": "ctc", "model": model},
    }
    project.change()
    for folder in ("metrics", "predictions", "history"):
        Path(folder).mkdir()
    for key, cer in (("second", 0.25), ("first", 0.125)):
        Path(f"metrics/{key}.json").write_text(json.dumps({**METRICS, "test_cer": cer}))
        Path(f"history/{key}.csv").write_text(
            "seed,epoch,train_loss,val_loss,val_cer\n42,0,4.5,4.6,1.0\n42,1,4.0,4.4,0.9\n"
        )
        write_timing(key, "train", {42: 90}, "32-true")
        write_timing(key, "evaluate", {42: 1234.5}, "fp32")
        table = pd.DataFrame({"seed": 42, "line": range(3), "text": TEXTS, "prediction": ["NA", "007", ""]})
        table.to_csv(f"predictions/{key}.csv", index=False)
    torch.manual_seed(0)
    save_checkpoint(Path("models/first/seed_42.ckpt"), SETTINGS, SETTINGS.build())
    # An output of an experiment that is no longer in the settings.
    Path("metrics/removed.json").write_text(json.dumps(METRICS))
    return project


def test_the_experiments_of_the_settings_are_compared_in_their_order(evaluated: Project) -> None:
    ignored, *printed = evaluated.run("compare").splitlines()
    assert ignored.startswith("compare: ignored metrics/removed.json: no outputs of params.yaml")
    assert printed == [
        "compare: 2 experiments; best is first with CER 12.50%",
        "compare: see reports/comparison.md and reports/index.html",
    ]
    assert sorted(path.name for path in Path("reports").iterdir()) == COMPARISON_FILES
    assert pd.read_csv("reports/groups.csv").empty  # synthetic lines have no groups
    table = pd.read_csv("reports/comparison.csv")
    assert table["experiment"].tolist() == ["second", "first"]
    assert table["lines"].tolist() == ["own", "other"]
    assert table["seeds"].tolist() == [1, 1]
    assert table["test_cer_std"].isna().all()
    assert table["training_seconds"].tolist() == [90, 90]
    assert table["lines_per_second"].tolist() == [1234.5, 1234.5]
    # Of 9 characters the 4 of one line are missing; a resample may have that line alone, or not at all.
    assert table["test_cer_low"].tolist() == [0, 0]
    assert table["test_cer_high"].tolist() == [1, 1]
    assert table["test_cer_folded"].tolist() == pytest.approx([4 / 9, 4 / 9], abs=1e-6)
    page = Path("reports/comparison.md").read_text()
    assert "**Data: own characters. Text: own text.**" in page
    assert "removed" not in page
    summary = json.loads(Path("reports/summary.json").read_text())
    assert summary["first"] == {"cer": 0.125, "accuracy": 0.9}


def test_the_page_shows_both_experiments(evaluated: Project) -> None:
    evaluated.run("compare")
    page = Path("reports/index.html").read_text()
    assert page.startswith("<!DOCTYPE html>\n")
    assert "<code>first</code>" in page
    assert "<code>second</code>" in page
    assert "removed" not in page
    assert len(page) < 900_000


def test_transcribed_lines_are_compared_by_group_and_without_case_accents_and_punctuation(evaluated: Project) -> None:
    with h5py.File(paths.lines("own"), "r+") as file:
        LineWriter(file, {}).write_origins("test", ["anna", "anna", "ben"], ["1", "2", "3"])
    rates = {f"test_{name}": 0.5 for name in (*FOLDED_RATES, MEDIAN)}
    Path("metrics/second.json").write_text(json.dumps({**METRICS, **rates, "test_cer_plain": 0.4321}))
    evaluated.run("compare")
    groups = pd.read_csv("reports/groups.csv")
    # The predictions are right for the first two texts, and empty for the last one, of 4 characters.
    assert groups[["experiment", "kind", "name", "count", "edits", "cer"]].to_numpy().tolist() == [
        ["second", "group", "ben", 1, 4, 1],
        ["second", "group", "anna", 2, 0, 0],
    ]
    page = Path("reports/index.html").read_text()
    assert "<h3>By group: <code>own</code></h3>" in page
    assert "<h3>Without case, accents and punctuation</h3>" in page
    assert "<dt>page</dt><dd>3</dd>" in page
    table = pd.read_csv("reports/comparison.csv").set_index("experiment")
    assert table.loc["second", "test_cer_plain"] == 0.4321
    assert np.isnan(table.loc["first", "test_cer_plain"])
    summary = json.loads(Path("reports/summary.json").read_text())
    assert summary["second"]["cer_plain"] == 0.4321
    assert "cer_plain" not in summary["first"]
    row = "| `second` | own | 25.00 % | 44.44 % | 50.00 % | 50.00 % | 43.21 % | 50.00 % |"
    assert row in Path("reports/comparison.md").read_text()


@pytest.mark.parametrize("loss", ["ce", "ctc"])
def test_one_experiment_is_enough(evaluated: Project, loss: str) -> None:
    evaluated.params["experiments"] = {"first": {**evaluated.params["experiments"]["first"], "loss": loss}}
    evaluated.change()
    assert "compare: 1 experiments; best is first" in evaluated.run("compare")
    assert sorted(path.name for path in Path("reports").iterdir()) == COMPARISON_FILES


def test_a_second_comparison_writes_the_same_bytes(evaluated: Project) -> None:
    evaluated.run("compare")
    first = {path.name: path.read_bytes() for path in Path("reports").iterdir()}
    evaluated.run("compare")
    assert {path.name: path.read_bytes() for path in Path("reports").iterdir()} == first


def test_the_page_shows_the_lectures_result_beside_an_experiment_of_the_lecture(
    evaluated: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(lecture.RESULTS, "first", "CER 17 %")
    evaluated.run("compare")
    rows = [line for line in Path("reports/comparison.md").read_text().splitlines() if line.startswith("| `")]
    assert [row.endswith("| CER 17 % |") for row in rows] == [False, True]


@pytest.mark.parametrize("content", [None, "{"])
def test_unreadable_metrics_are_refused_in_one_line(evaluated: Project, content: str | None) -> None:
    path = Path("metrics/first.json")
    path.unlink()
    if content is not None:
        path.write_text(content)
    line = evaluated.refusal("compare")
    assert line.startswith("metrics/first.json: cannot be read (")
    assert line.endswith("; run `dvc repro evaluate@first`")
    assert not Path("reports").exists()


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("predictions/first.csv", "dvc repro evaluate@first"),
        ("history/second.csv", "dvc repro train@second"),
        ("timings/second_train.json", "dvc repro train@second"),
        ("timings/second_evaluate.json", "dvc repro evaluate@second"),
        ("models/first/seed_42.ckpt", "dvc repro train"),
        ("data/lines/other.h5", "dvc repro synthesize"),
    ],
)
def test_missing_files_are_refused_in_one_line(evaluated: Project, path: str, command: str) -> None:
    Path(path).unlink()
    line = evaluated.refusal("compare")
    assert line.startswith(f"{path}: ")
    assert f"`{command}`" in line
    assert not Path("reports").exists()


def test_predictions_of_other_lines_are_refused_in_one_line(evaluated: Project) -> None:
    write_lines(evaluated.root / "data/lines/other.h5", tiny_lines(["NA", "007", "hi b"]), "other")
    assert evaluated.refusal("compare") == (
        "predictions/first.csv: does not belong to the lines in data/lines/other.h5; run `dvc repro evaluate@first`"
    )
    assert not Path("reports").exists()


def test_the_longest_training_is_named() -> None:
    read = TypeAdapter(ExperimentSettings).validate_python
    plain = profile_params("tiny")["experiments"]["simple_ce_aligned"]
    longer, shorter = ({**plain, "training": {"max_epochs": epochs}} for epochs in (9, 2))
    training = tiny_training(max_epochs=5)
    assert most_epochs([read(plain), read(shorter)], training) == 5
    assert most_epochs([read(plain), read(longer)], training) == 9
    assert most_epochs([read(shorter)], training) == 2
