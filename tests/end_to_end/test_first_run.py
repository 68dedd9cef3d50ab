"""Outputs of the first run: files, metrics, tables."""

import csv
import re
from pathlib import Path

import pytest

from pipeline.report.pages.lecture import RESULTS
from pipeline.settings.base import read_params
from tests.end_to_end.workspace import DECODING_REPORTS, DECODINGS, EPOCHS, KEYS, LINES, REPORTS, Workspace, stages_run


def edits_between(first: str, second: str) -> int:
    """Levenshtein distance, one row of the table after another."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(second, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


def predictions(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_stage_ran_once_and_left_its_outputs(first: Workspace) -> None:
    ran = stages_run(first.output)
    assert sorted(ran) == sorted(
        [
            *("check", "download", "corpus", "language_model", "compare", "compare_decodings"),
            *(f"synthesize@{name}" for name in LINES),
            *(f"{stage}@{key}" for stage in ("train", "evaluate") for key in KEYS),
            *(f"decode@{key}" for key in DECODINGS),
        ]
    )
    assert ran[0] == "check"
    outputs = [
        *(
            "data/settings.ok",
            "data/characters.h5",
            "data/corpus.json",
            "data/language_model.h5",
            *REPORTS,
            *DECODING_REPORTS,
        ),
        *(f"data/lines/{name}.h5" for name in LINES),
        *(f"models/{key}/seed_42.ckpt" for key in KEYS),
        *(f"timings/{key}_{stage}.json" for stage in ("train", "evaluate") for key in KEYS),
        *(f"{folder}/{key}.csv" for folder in ("history", "predictions") for key in KEYS),
        *(f"metrics/{key}.json" for key in KEYS),
        *(f"decoding_timings/{key}_decode.json" for key in DECODINGS),
        *(f"decodings/{key}.{suffix}" for key in DECODINGS for suffix in ("csv", "json")),
    ]
    assert [path for path in outputs if not (first.root / path).is_file()] == []


def test_git_tracks_only_the_lock_file_and_the_reports(first: Workspace) -> None:
    assert first.changed.splitlines() == ["?? dvc.lock", "?? reports/"]
    assert first.git("ls-files", "reports").split() == sorted([*REPORTS, *DECODING_REPORTS])


@pytest.mark.parametrize("key", KEYS)
def test_metrics_follow_from_the_predictions(first: Workspace, key: str) -> None:
    rows = predictions(first.root / f"predictions/{key}.csv")
    metrics = first.metrics(key)
    assert len(rows) == metrics["lines"] == 10
    pairs = [(row["prediction"], row["text"]) for row in rows]
    edits = [edits_between(*pair) for pair in pairs]
    assert [int(row["edits"]) for row in rows] == edits
    assert metrics["test_cer"] == pytest.approx(sum(edits) / sum(len(text) for _, text in pairs))
    longest = [max(map(len, pair)) for pair in pairs]
    assert metrics["test_cer_lab"] == pytest.approx(sum(e / n for e, n in zip(edits, longest, strict=True)) / 10)
    assert metrics["test_exact"] == pytest.approx(sum(p == t for p, t in pairs) / 10)
    assert all(0 <= metrics[f"test_{name}"] <= 1 for name in ("accuracy", "accuracy_text"))


def test_the_table_has_every_experiment_in_the_order_of_the_settings(first: Workspace) -> None:
    table = first.table()
    assert table["experiment"].tolist() == KEYS
    described = ["experiment", "model", "loss", "lines", "data", "parameters"]
    measured = ["test_cer", "test_cer_lab", "test_accuracy", "test_wer", "test_exact"]
    assert {*described, *measured, "lecture"} <= set(table.columns)
    assert set(table["data"]) == {"built-in glyphs, not EMNIST"}
    experiments = read_params(first.root / "params.yaml")["experiments"]
    for row in table.to_dict("records"):
        experiment, metrics = experiments[row["experiment"]], first.metrics(row["experiment"])
        assert (row["model"], row["loss"], row["lines"]) == (
            *(experiment["model"]["name"], experiment["loss"]),
            experiment["lines"],
        )
        assert row["parameters"] == metrics["parameters"] > 0
        assert [row[name] for name in measured] == pytest.approx([metrics[name] for name in measured], abs=1e-6)
        assert bool(row["lecture"]) == (row["experiment"] in RESULTS)


def test_the_page_says_that_the_characters_are_not_real(first: Workspace) -> None:
    page = (first.root / "reports/comparison.md").read_text()
    assert "built-in glyphs, not EMNIST" in page
    assert "Python's help pages" in page
    table, single_changes = page.split("## The effect of single settings")
    assert re.findall(r"^\| `(.*?)` \|", table, re.MULTILINE) == KEYS
    assert re.findall(r"^\| `(.*?)` \|", single_changes, re.MULTILINE) == ["cnn_ctc_variable"]
    assert f"up to {EPOCHS} epochs" in page
