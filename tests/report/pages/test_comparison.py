import math
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
from jinja2 import UndefinedError

from pipeline.report.analysis.bootstrap import Estimate
from pipeline.report.analysis.rates import resample_rates
from pipeline.report.analysis.results import Result
from pipeline.report.analysis.single_changes import SingleChange
from pipeline.report.pages.comparison import comparison_page, comparison_table, summary, write_table
from pipeline.report.pages.lecture import RESULTS
from pipeline.runtime.timings import Timing
from pipeline.settings.base import read_params
from pipeline.settings.experiment import ExperimentSettings
from tests.imports import ROOT
from tests.tiny import tiny_model

RATES = {
    "test_cer": 0.123456,
    "test_cer_lab": 0.1,
    "test_wer": 0.98765,
    "test_exact": 0.005,
    "test_accuracy": 0.9,
    "test_accuracy_text": 0.8,
}
MEASURED = {**RATES, "lines": 2000, "parameters": 1234567}
SOURCES = {
    "data": "own characters",
    "corpus": "own text",
    "data_source": "archive",
    "data_sha256": "ab" * 32,
    "corpus_source": "builtin",
    "corpus_sha256": "cd" * 32,
    "train": 10000,
    "max_epochs": 7,
}
MACHINE = "x86_64, 2 threads"


def experiment(lines: str, loss: str, model: str) -> ExperimentSettings:
    return ExperimentSettings(lines=lines, loss=loss, model=tiny_model(model))


EXPERIMENTS = {
    "mine": experiment("own", "ctc", "line_cnn"),
    "lstm_ctc_variable": experiment("other", "ce", "line_cnn_simple"),
}
DATA = {"own": "own characters", "other": "other characters"}


# One prediction in four is wrong throughout; capital letters alone make up half of its edits.
TEXTS, PREDICTIONS = ["ab"] * 100, [*["ab"] * 75, *["Ac"] * 25]
CER = {"test_cer_low": 0.165, "test_cer_high": 0.335}


@pytest.fixture
def table() -> pd.DataFrame:
    other = {**MEASURED, "lines": 500}
    results = [
        make(key, metrics, {42: PREDICTIONS}, precision)
        for key, metrics, precision in zip(EXPERIMENTS, (MEASURED, other), ("bf16", "fp32"), strict=True)
    ]
    return comparison_table(results, resample_rates(TEXTS, {key: [PREDICTIONS] for key in EXPERIMENTS}), DATA)


def make(key: str, metrics: Mapping[str, object], predictions: Mapping[int, list[str]], precision: str) -> Result:
    timings = [
        Timing({str(seed): value + seed - 42 for seed in predictions}, precision, MACHINE) for value in (60, 1234.5)
    ]
    return Result(key, EXPERIMENTS[key], metrics, pd.DataFrame(), TEXTS, predictions, *timings)


def page(table: pd.DataFrame, **sources: object) -> str:
    return comparison_page(table, {**SOURCES, **sources}, MACHINE)


def test_a_row_has_all_measurements(table: pd.DataFrame) -> None:
    row = table.iloc[0].to_dict()
    assert math.isnan(row.pop("test_cer_std"))
    assert {name: row.pop(name) for name in CER} == pytest.approx(CER, abs=0.02)
    assert row == {
        "experiment": "mine",
        "model": "line_cnn",
        "loss": "ctc",
        "lines": "own",
        "data": "own characters",
        "parameters": 1234567,
        **RATES,
        "test_cer_folded": 0.125,
        "lines_per_second": 1234.5,
        "test_lines": 2000,
        "precision": "bf16",
        "lecture": "",
        "training_seconds": 60,
        "seeds": 1,
    }
    assert table["experiment"].tolist() == ["mine", "lstm_ctc_variable"]
    assert table["data"].tolist() == ["own characters", "other characters"]
    assert table["lecture"].tolist() == ["", "a little better"]


def test_rows_of_the_page_are_formatted(table: pd.DataFrame) -> None:
    lines = page(table).splitlines()
    start = lines.index(
        "| experiment | model | loss | lines | parameters | CER | CER (lab) | WER | exact lines | accuracy (lab) "
        "| accuracy (text) | lecture |"
    )
    assert lines[start + 1] == "| " + " | ".join(["---"] * 12) + " |"
    low, high = (f"{table[name][0] * 100:.1f}" for name in CER)
    rest = f"1,234,567 | 12.35 % ({low}–{high}) | 10.00 % | 98.8 % | 0.5 % | 90.0 % | 80.0 %"
    assert lines[start + 2 : start + 5] == [
        f"| `mine` | line_cnn | ctc | own | {rest} |  |",
        f"| `lstm_ctc_variable` | line_cnn_simple | ce | other | {rest} | a little better |",
        "",
    ]


def test_the_page_names_its_sources(table: pd.DataFrame) -> None:
    text = page(table)
    for line in (
        "**Data: own characters. Text: own text.**",
        "2,000 and 500 test lines for each experiment, from characters and text that training never saw.",
        "Made by `dvc repro` with `emnist.source: archive` and `corpus.source: builtin`:",
        "10,000 training lines per data set, up to 7 epochs.",
        f"Characters: sha256 `{'ab' * 32}`. Text: sha256 `{'cd' * 32}`.",
        "Evaluated in bf16 and fp32 on x86_64, 2 threads.",
        "With pictures, learning curves, errors and a paired comparison: [index.html](index.html), to be opened from "
        "disk.",
    ):
        assert line in text.splitlines()
    assert text.endswith("\n")
    assert "Characters: sha256 `none: drawn by code`." in page(table, data_sha256="")


def test_single_changes_have_a_table_if_there_are_any(table: pd.DataFrame) -> None:
    assert "The effect of single settings" not in page(table)
    before, after = (make(key, MEASURED, {42: PREDICTIONS}, "fp32") for key in EXPERIMENTS)
    difference = Estimate(-0.012345, -0.02, 0.001)
    change = SingleChange("own", before, after, "training.one_cycle", ("off", "on"), difference)
    lines = comparison_page(table, SOURCES, MACHINE, [change]).splitlines()
    start = lines.index("| from | to | setting | change | CER, in points |")
    assert lines[start + 2] == (
        "| `mine` | `lstm_ctc_variable` | `training.one_cycle` | off → on | -1.23 (-2.00 to +0.10) |"
    )


def test_a_missing_value_is_an_error(table: pd.DataFrame) -> None:
    with pytest.raises(UndefinedError, match="'corpus' is undefined"):
        comparison_page(table, {key: value for key, value in SOURCES.items() if key != "corpus"}, MACHINE)


def test_the_summary_is_short(table: pd.DataFrame) -> None:
    assert summary(table) == {
        "mine": {"cer": 0.1235, "accuracy": 0.9},
        "lstm_ctc_variable": {"cer": 0.1235, "accuracy": 0.9},
    }


def test_several_seeds_are_shown_as_mean_and_deviation() -> None:
    metrics = {**MEASURED, "test_cer_std": 0.0123, "seeds": 2, "by_seed": {}}
    one = make("mine", metrics, {42: PREDICTIONS, 45: TEXTS}, "fp32")
    two = make("lstm_ctc_variable", MEASURED, {42: PREDICTIONS}, "fp32")
    rates = resample_rates(TEXTS, {one.key: [PREDICTIONS, TEXTS], two.key: [PREDICTIONS]})
    table = comparison_table([one, two], rates, DATA)
    assert list(table.columns).count("test_cer_std") == 1
    row = table.iloc[0]
    assert (row["test_cer_std"], row["seeds"], row["training_seconds"], row["lines_per_second"]) == (
        *(0.0123, 2, 61.5),
        1236,
    )
    assert row["test_cer_folded"] == pytest.approx(0.0625)
    text = page(table)
    low, high = (f"{row[name] * 100:.1f}" for name in CER)
    assert f"| 12.35 ± 1.23 % (2 seeds; {low}–{high}) |" in text
    assert text.count("seeds;") == 1
    assert "± is the standard deviation of the CER" in text
    assert "± is" not in page(comparison_table([two], rates, DATA))


def test_the_table_is_written_with_six_digits(table: pd.DataFrame, tmp_path: Path) -> None:
    write_table(table.drop(columns=["lines_per_second"]).assign(**CER), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes().decode() == (
        "experiment,model,loss,lines,data,parameters,test_cer,test_cer_lab,test_wer,test_exact,test_accuracy,"
        "test_accuracy_text,test_cer_low,test_cer_high,test_cer_folded,test_lines,precision,lecture,"
        "training_seconds,seeds,test_cer_std\n"
        "mine,line_cnn,ctc,own,own characters,1234567,0.123456,0.100000,0.987650,0.005000,0.900000,"
        "0.800000,0.165000,0.335000,0.125000,2000,bf16,,60.000000,1,\n"
        "lstm_ctc_variable,line_cnn_simple,ce,other,other characters,1234567,0.123456,0.100000,0.987650,0.005000,"
        "0.900000,0.800000,0.165000,0.335000,0.125000,500,fp32,a little better,60.000000,1,\n"
    )


def test_the_lecture_has_results_only_for_experiments_of_params_yaml() -> None:
    shipped = read_params(ROOT / "params.yaml")["experiments"]
    assert [key for key in shipped if key in RESULTS] == list(RESULTS)
