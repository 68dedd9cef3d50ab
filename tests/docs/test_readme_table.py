"""The README's numbers and its picture are those of the committed reports."""

import csv
import json
import re

import numpy as np
from PIL import Image

from pipeline.settings.base import read_params
from tests.imports import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
GPU = "studies/gpu"
CROSS_ENTROPY, BEST = "simple_ce_variable", "resnet_lookalikes_ctc_variable"
STEPS = (CROSS_ENTROPY, "cnn_ctc_variable", "lstm_ctc_variable", BEST)
"""The experiments of the first table."""
NOT_IN_LECTURE = "not in the lecture"


def read_rows(report: str) -> dict[str, dict[str, str]]:
    with (ROOT / "reports" / report).open(encoding="utf-8", newline="") as file:
        return {row["experiment"]: row for row in csv.DictReader(file)}


def percent(rate: float | str, digits: int = 1) -> str:
    return f"{float(rate) * 100:.{digits}f} %"


def longest_budget() -> dict[str, str]:
    return max(read_rows("studies/budgets/budgets.csv").values(), key=lambda row: int(row["lines"]))


def test_the_first_table_has_the_numbers_of_the_reports() -> None:
    rows = read_rows(f"{GPU}/comparison.csv")
    beams = json.loads((ROOT / "reports" / GPU / "decoding.json").read_text(encoding="utf-8"))
    first = README.split("\n## ")[0]
    shown = [line.split(" | ")[1:] for line in first.splitlines() if re.search(r"^\|.*\| `", line)]
    expected = [
        [
            f"`{key}`",
            percent(rows[key]["test_cer"], 2),
            (percent(beams[f"{key}_beam"]["cer"], 2) if key != CROSS_ENTROPY else "not for cross-entropy") + " |",
        ]
        for key in STEPS
    ]
    assert shown == expected
    assert {rows[key]["lines"] for key in STEPS} == {"variable"}
    assert [rows[key]["loss"] for key in STEPS] == ["ce", "ctc", "ctc", "ctc"]
    assert min(rows, key=lambda key: float(rows[key]["test_cer"])) == BEST
    (data,) = {row["data"] for row in rows.values()}
    assert f"Data: {data}" in first
    assert f"{int(rows[BEST]['test_lines']):,} test lines" in first


def test_the_machine_of_the_first_table_is_that_of_the_report() -> None:
    assert "Machine: one\nNVIDIA H100." in README
    assert "NVIDIA H100" in (ROOT / "reports" / GPU / "comparison.md").read_text(encoding="utf-8")


def test_the_table_of_results_has_the_numbers_of_the_reports() -> None:
    on_cores, on_gpu = read_rows("comparison.csv"), read_rows(f"{GPU}/comparison.csv")
    cers = {key: row["test_cer"] for key, row in on_cores.items()}
    assert BEST not in cers  # else it is no longer the newer one
    cers[BEST] = longest_budget()["test_cer"]
    expected = [
        f"| `{key}` | {row['lines']} | {percent(cers[key])} | {percent(row['test_cer'])} | "
        f"{percent(row['test_exact'])} | {row['lecture'] or NOT_IN_LECTURE} |"
        for key, row in on_gpu.items()
    ]
    section = README.split("\n## Results\n")[1]
    assert [line for line in section.splitlines() if line.startswith("| `")] == expected


def test_the_budgets_are_those_of_the_best_experiment() -> None:
    plan = read_params(ROOT / "reports/studies/budgets/plan.yaml")
    assert plan["experiment"] == BEST
    assert int(longest_budget()["seeds"]) == len(plan["seeds"]) == 3


def test_every_experiment_is_in_the_table_of_results() -> None:
    assert [*read_rows(f"{GPU}/comparison.csv")] == [*read_params(ROOT / "params.yaml")["experiments"]]


def test_the_picture_is_a_part_of_the_reports_own() -> None:
    part = np.array(Image.open(ROOT / "reports" / GPU / "first_line.png"))
    whole = np.array(Image.open(ROOT / "reports" / GPU / "readings.png"))
    height, width = part.shape[:2]
    tops = [top for top in range(len(whole) - height + 1) if np.array_equal(whole[top : top + height, :width], part)]
    assert len(tops) == 1
