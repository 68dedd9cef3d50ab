import json
from pathlib import Path

import pandas as pd
import pytest

from pipeline.report import lecture
from tests.projects import Project, write_lines
from tests.tiny import tiny_lines, tiny_model

TEXTS = ["NA", "007", "hi B"]
METRICS = {
    "test_cer": 0.25,
    "test_cer_lab": 0.2,
    "test_wer": 0.5,
    "test_exact": 0.75,
    "test_accuracy": 0.9,
    "test_accuracy_text": 0.8,
    "lines": 3,
    "lines_per_second": 1234.5,
    "parameters": 5678,
    "precision": "fp32",
}


@pytest.fixture
def evaluated(project: Project) -> Project:
    """A project with two experiments on two data sets of lines that were evaluated."""
    for name in ("own", "other"):
        write_lines(project.root / f"data/lines/{name}.h5", tiny_lines(TEXTS), name)
    model = tiny_model("line_cnn_simple").model_dump()
    project.params["experiments"] = {
        "second": {"lines": "own", "loss": "ce", "model": model},
        "first": {"lines": "other", "loss": "ctc", "model": model},
    }
    project.change()
    Path("metrics").mkdir()
    Path("predictions").mkdir()
    for key, cer in (("second", 0.25), ("first", 0.125)):
        Path(f"metrics/{key}.json").write_text(json.dumps({**METRICS, "test_cer": cer}))
        table = pd.DataFrame({"line": range(3), "text": TEXTS, "prediction": ["NA", "007", ""]})
        table.to_csv(f"predictions/{key}.csv", index=False)
    # What experiments leave that are no longer in the settings.
    Path("metrics/removed.json").write_text(json.dumps(METRICS))
    return project


def test_the_experiments_of_the_settings_are_compared_in_their_order(evaluated: Project) -> None:
    assert evaluated.run("compare") == (
        "compare: 2 experiments; best is first with CER 12.50%\ncompare: see reports/comparison.md\n"
    )
    written = sorted(path.name for path in Path("reports").iterdir())
    assert written == ["cer.png", "comparison.csv", "comparison.md", "readings.png", "summary.json"]
    table = pd.read_csv("reports/comparison.csv")
    assert table["experiment"].tolist() == ["second", "first"]
    assert table["lines"].tolist() == ["own", "other"]
    page = Path("reports/comparison.md").read_text()
    assert "**Data: own characters. Text: own text.**" in page
    assert "removed" not in page
    summary = json.loads(Path("reports/summary.json").read_text())
    assert summary["first"] == {"cer": 0.125, "accuracy": 0.9}


def test_a_second_comparison_writes_the_same_bytes(evaluated: Project) -> None:
    evaluated.run("compare")
    first = {path.name: path.read_bytes() for path in Path("reports").iterdir()}
    evaluated.run("compare")
    assert {path.name: path.read_bytes() for path in Path("reports").iterdir()} == first


def test_an_experiment_that_the_lecture_has_stands_beside_its_result(
    evaluated: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(lecture.RESULTS, "first", "CER 17 %")
    evaluated.run("compare")
    rows = [line for line in Path("reports/comparison.md").read_text().splitlines() if line.startswith("| `")]
    assert [row.endswith("| CER 17 % |") for row in rows] == [False, True]


@pytest.mark.parametrize("content", [None, "{"])
def test_metrics_that_cannot_be_read_are_one_line(evaluated: Project, content: str | None) -> None:
    path = Path("metrics/first.json")
    path.unlink()
    if content is not None:
        path.write_text(content)
    line = evaluated.refusal("compare")
    assert line.startswith("metrics/first.json: cannot be read (")
    assert line.endswith("; run `dvc repro evaluate@first`")
    assert not Path("reports").exists()


def test_predictions_that_are_missing_are_one_line(evaluated: Project) -> None:
    Path("predictions/first.csv").unlink()
    line = evaluated.refusal("compare")
    assert line.startswith("predictions/first.csv: ")
    assert "`dvc repro evaluate@first`" in line
