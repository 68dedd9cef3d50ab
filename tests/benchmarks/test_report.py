from pathlib import Path

import pandas as pd
import pytest

from benchmarks.harness import Timing
from benchmarks.peak import Peak
from benchmarks.report import Measured, format_number, make_table, write_report
from benchmarks.roofline import Utilization


def timing(rate: float) -> Timing:
    return Timing(rate, rate * 0.9, rate * 1.1, 2**30)


def measured(in_products: float | None = 0.8, **rates: float) -> Measured:
    return Measured(
        "cpu",
        Peak(fp32=175e9, bf16=700e9, copy=38e9),
        {"train line_cnn ctc": {name: timing(rate) for name, rate in rates.items()}},
        {"train line_cnn ctc": Utilization(500.0, 700.0, 0.714, in_products, 0.9)},
        [("dvc repro with nothing to do", "seconds", 2.5)],
    )


def test_ratios_are_ours_over_the_others() -> None:
    table = make_table(measured(ours=400, lab=40, baseline=50)).set_index("what")
    row = table.loc["train line_cnn ctc"]
    assert (row["ours"], row["lab"], row["baseline"]) == (400, 40, 50)
    assert (row["ratio_lab"], row["ratio_baseline"]) == (10, 8)
    assert table.loc["train line_cnn ctc, peak memory", "lab"] == 1024
    assert table.loc["machine: matrix product in bf16", "ours"] == 700
    assert table.loc["dvc repro with nothing to do", "ours"] == 2.5


def test_both_files_are_written_with_or_without_the_labs_code(tmp_path: Path) -> None:
    write_report(measured(ours=400, baseline=50), tmp_path)
    table = pd.read_csv(tmp_path / "performance.csv")
    assert list(table.columns) == ["what", "unit", "ours", "lab", "baseline", "ratio_lab", "ratio_baseline"]
    assert table["lab"].isna().all()
    page = (tmp_path / "performance.md").read_text()
    assert "| train line_cnn ctc | lines/s | 400 |  | 50 |  | 8 |" in page
    assert "`lab` is the code" not in page
    write_report(measured(ours=400, baseline=50, lab=40), tmp_path)
    assert "| train line_cnn ctc | lines/s | 400 | 40 | 50 | 10 | 8 |" in (tmp_path / "performance.md").read_text()


def test_an_unknown_value_has_no_row() -> None:
    whole, partly = (set(make_table(measured(in_products, ours=400))["what"]) for in_products in (0.8, None))
    assert whole - partly == {"train line_cnn ctc: of the matrix rate, in products"}
    assert not partly - whole


@pytest.mark.parametrize(
    ("value", "shown"), [(float("nan"), ""), (1234.5, "1,234"), (99.96, "100"), (3.14159, "3.14"), (0.0, "0")]
)
def test_numbers_have_three_digits(value: float, shown: str) -> None:
    assert format_number(value) == shown
