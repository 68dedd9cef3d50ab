"""The README's table is that of the committed report."""

import csv

from tests.imports import ROOT


def test_the_table_has_the_numbers_of_the_report() -> None:
    with (ROOT / "reports/comparison.csv").open(encoding="utf-8", newline="") as file:
        expected = [
            f"| `{row['experiment']}` | {row['lines']} | {float(row['test_cer']) * 100:.1f} % | "
            f"{float(row['test_exact']) * 100:.1f} % | {row['lecture']} |"
            for row in csv.DictReader(file)
        ]
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## Results\n")[1].split("\n## ")[0]
    assert [line for line in section.splitlines() if line.startswith("| `")] == expected
