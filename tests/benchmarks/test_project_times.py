import pandas as pd
import pytest

from benchmarks import project_times
from pipeline.report.pages.lecture import RESULTS


def minutes_by_name(monkeypatch: pytest.MonkeyPatch, runs: dict[str, tuple[float, float, float]]) -> dict[str, float]:
    """The minutes reported for trainings with these seconds: start, end, end of the evaluation."""
    table = pd.DataFrame.from_dict(runs, orient="index", columns=["start", "end", "evaluated"])
    monkeypatch.setattr(project_times, "training_runs", lambda: table)
    return {what: value for what, unit, value in project_times.last_run_times() if unit == "minutes"}


def test_trainings_side_by_side_also_have_a_time_together(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = minutes_by_name(monkeypatch, {"one": (0, 120, 130), "other": (30, 180, 240)})
    assert rows == {
        "all 2 trainings": 4.5,
        "from the first training's start to the last evaluation's end": 4.0,
        "training of one": 2.0,
        "training of other": 2.5,
    }


def test_trainings_of_different_days_have_no_time_together(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = minutes_by_name(monkeypatch, {"one": (0, 120, 130), "other": (90_000, 90_060, 90_070)})
    assert rows == {"all 2 trainings": 3.0, "training of one": 2.0, "training of other": 1.0}


def test_the_lectures_experiments_have_a_time_of_their_own_beside_others(monkeypatch: pytest.MonkeyPatch) -> None:
    lecture: dict[str, tuple[float, float, float]] = dict.fromkeys(RESULTS, (0, 60, 90))
    together = "from the first training's start to the last evaluation's end"
    assert minutes_by_name(monkeypatch, lecture)[together] == 1.5
    rows = minutes_by_name(monkeypatch, {**lecture, "mine": (0, 240, 270)})
    assert (rows[together], rows[f"of the lecture's, {together}"]) == (4.5, 1.5)
    lecture.popitem()
    assert f"of the lecture's, {together}" not in minutes_by_name(monkeypatch, {**lecture, "mine": (0, 240, 270)})
