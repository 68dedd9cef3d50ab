import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from benchmarks.__main__ import check_inputs, main, measure, measurements
from benchmarks.peak import Peak
from benchmarks.report import Measured
from pipeline.common.errors import InputError
from pipeline.settings.base import read_params
from tests.imports import ROOT


def nothing_yet() -> Measured:
    return Measured("cpu", Peak(fp32=175e9, bf16=700e9, copy=38e9))


def test_results_are_kept_when_another_measurement_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured = nothing_yet()
    seen = []

    def steps() -> Iterator[tuple[str, Callable[[], None]]]:
        yield "first", lambda: measured.others.append(("start of stage check", "seconds", 0.5))
        seen.append(pd.read_csv(tmp_path / "performance.csv")["what"].iloc[-1])
        yield "second", lambda: [].pop()
        yield "third", lambda: measured.others.append(("start of stage train", "seconds", 4.0))

    assert measure(steps(), measured, tmp_path) == ["second"]
    assert seen == ["start of stage check"]  # written before the next one began
    table = pd.read_csv(tmp_path / "performance.csv").set_index("what")
    assert table.loc["start of stage check", "ours"] == 0.5
    assert table.loc["start of stage train", "ours"] == 4.0
    captured = capsys.readouterr()
    assert "pop from empty list" in captured.err
    assert re.findall(r"benchmarks: (\w+) measured", captured.out) == ["first", "third"]


def test_comparisons_come_before_utilizations_and_the_rest() -> None:
    chosen = ["project", "train line_cnn ctc", "synthesis"]
    names = [what for what, _ in measurements(nothing_yet(), chosen, {"ours": "ours"}, 1)]
    assert names == ["train line_cnn ctc", "synthesis", "train line_cnn ctc, share of the machine's rate", "project"]


def test_an_unknown_measurement_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", "trian"])
    with pytest.raises(SystemExit):
        main()
    assert "unknown: trian; choose from train line_cnn ctc" in capsys.readouterr().err


def test_missing_inputs_are_named_before_the_first_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = read_params(ROOT / "params.yaml")
    del params["experiments"]["lstm_ctc_variable"]
    YAML().dump(params, tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    check_inputs(["synthesis", "last run", "project"])
    with pytest.raises(InputError, match=re.escape("params.yaml: experiments.lstm_ctc_variable: unknown")):
        check_inputs(["train line_cnn_lstm ctc"])
    with pytest.raises(InputError, match=re.escape("data/lines/variable.h5: ")):
        check_inputs(["growth"])
