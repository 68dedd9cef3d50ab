from pathlib import Path

import pytest

from benchmarks.scale import extrapolate, measure_dvc


def test_growth_goes_on_along_a_line() -> None:
    assert extrapolate({10: 2.0, 100: 7.0, 1_010: 12.0}) == pytest.approx(12 + 0.01 * 8_990)
    assert extrapolate({100: 3.0, 1_000: 3.0}) == pytest.approx(3)


def test_dvc_finds_the_generated_project_up_to_date() -> None:
    """Else the measurement itself would fail: it would be one of stages that run."""
    before = Path.cwd()
    measured = dict(measure_dvc(4))
    assert [*measured] == [
        "`dvc repro`, nothing to do",
        "`dvc repro --single-item`, nothing to do",
        "one entry merged into `dvc.lock`",
        "`dvc.lock`, MB",
    ]
    assert min(measured.values()) > 0
    assert Path.cwd() == before
