"""The README's table is that of the committed reports."""

import csv
from collections.abc import Mapping

from pipeline.settings.base import read_params
from tests.imports import ROOT


def rows_of(report: str) -> dict[str, dict[str, str]]:
    with (ROOT / "reports" / report).open(encoding="utf-8", newline="") as file:
        return {row["experiment"]: row for row in csv.DictReader(file)}


def percent(row: Mapping[str, str] | None, column: str) -> str:
    return f"{float(row[column]) * 100:.1f} %" if row else ""


def test_the_table_has_the_numbers_of_the_reports() -> None:
    on_cores, on_gpu = rows_of("comparison.csv"), rows_of("gpu/comparison.csv")
    expected = [
        f"| `{key}` | {row['lines']} | {percent(on_cores.get(key), 'test_cer')} | {percent(row, 'test_cer')} | "
        f"{percent(row, 'test_exact')} | {row['lecture']} |"
        for key, row in on_gpu.items()
    ]
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## Results\n")[1].split("\n## ")[0]
    assert [line for line in section.splitlines() if line.startswith("| `")] == expected
    assert on_cores.keys() < on_gpu.keys()


def test_every_experiment_is_in_it() -> None:
    assert [*rows_of("gpu/comparison.csv")] == [*read_params(ROOT / "params.yaml")["experiments"]]
