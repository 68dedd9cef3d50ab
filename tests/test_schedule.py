"""In which order stages begin."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pipeline import schedule as module
from pipeline.schedule import end_of, expected_seconds, improved, schedule, ways_to_the_end, work_of
from pipeline.timings import write_timing
from tests.projects import profile_params
from tests.tiny import MODELS

CHAIN = {"corpus": set(), "lines": {"corpus"}, "train": {"lines"}, "other": set(), "compare": {"train", "other"}}
SECONDS = {"corpus": 1.0, "lines": 2.0, "train": 10.0, "other": 4.0, "compare": 0.5}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The settings of a project in the working folder, which changes them by `write`."""
    monkeypatch.chdir(tmp_path)
    return profile_params("tiny")


def write(params: dict[str, Any]) -> None:
    YAML().dump(params, Path("params.yaml"))


def test_the_way_to_the_end_is_the_longest_chain() -> None:
    assert ways_to_the_end(CHAIN, SECONDS) == {
        "corpus": 13.5,
        "lines": 12.5,
        "train": 10.5,
        "other": 4.5,
        "compare": 0.5,
    }


def test_the_end_is_that_of_the_last_stage() -> None:
    ranked = ["corpus", "lines", "train", "other", "compare"]
    assert end_of(ranked, CHAIN, SECONDS, jobs=1) == sum(SECONDS.values())
    assert end_of(ranked, CHAIN, SECONDS, jobs=2) == 1 + 2 + 10 + 0.5  # the other one runs beside them
    four = {name: set[str]() for name in "abcd"}
    assert end_of("abcd", four, {"a": 1, "b": 2, "c": 3, "d": 4}, jobs=2) == 2 + 4  # d after b
    assert end_of("dcba", four, {"a": 1, "b": 2, "c": 3, "d": 4}, jobs=2) == 5


def test_stages_with_the_longest_way_are_preferred(project: dict[str, Any]) -> None:
    write(project)
    first, second, *_ = project["experiments"]
    write_timing(first, "train", {1: 20.0, 2: 15.0}, "32-true")
    write_timing(second, "train", {1: 30.0}, "32-true")
    order = {
        f"train@{second}": {"corpus"},
        f"train@{first}": {"synthesize"},
        "synthesize": {"corpus"},
        "corpus": set(),
        "compare": {f"train@{first}", f"train@{second}"},
    }
    ranked = schedule(order, jobs=1)
    assert sorted(ranked[:3]) == ["corpus", "synthesize", f"train@{first}"]  # one chain
    assert ranked[3:] == [f"train@{second}", "compare"]


def test_pairs_change_places_where_the_longest_first_ends_late() -> None:
    # Graham's worst case of two processors: 3 and 3 begin, then 2 beside 2, and the last 2 runs alone.
    seconds = {"a": 3.0, "b": 3.0, "c": 2.0, "d": 2.0, "e": 2.0}
    order = {name: set[str]() for name in seconds}
    assert end_of("abcde", order, seconds, jobs=2) == 7
    assert end_of(improved("abcde", order, seconds, jobs=2), order, seconds, jobs=2) == 6


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(2, 3))
def test_an_improved_list_ends_between_the_first_and_the_best(lengths: list[int], jobs: int) -> None:
    seconds = {f"s{place}": float(length) for place, length in enumerate(lengths)}
    order = {name: set[str]() for name in seconds}
    ranked = sorted(seconds, key=seconds.__getitem__, reverse=True)
    found = improved(ranked, order, seconds, jobs)
    assert sorted(found) == sorted(ranked)
    ends = [end_of(one, order, seconds, jobs) for one in itertools.permutations(ranked)]
    assert min(ends) <= end_of(found, order, seconds, jobs) <= end_of(ranked, order, seconds, jobs)


def test_no_more_lists_are_tried_than_take_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []
    monkeypatch.setattr(module, "end_of", lambda ranked, *_: tried.append(ranked) or -float(len(tried)))
    monkeypatch.setattr(module, "TRIED", 20)
    names = "abcd"
    improved(names, {name: set() for name in names}, dict.fromkeys(names, 1.0), jobs=2)
    assert len(tried) == 1 + 20


def test_a_new_training_takes_as_long_for_its_work_as_known_ones(project: dict[str, Any]) -> None:
    first, second, *_ = project["experiments"]
    project["experiments"][first]["training"] = {"max_epochs": 3}
    write(project)
    write_timing(first, "train", {1: 60.0}, "32-true")
    order = {stage: set[str]() for stage in (f"train@{first}", f"train@{second}", "train@nobody", f"evaluate@{first}")}
    assert expected_seconds(order) == {
        f"train@{first}": 60.0,
        f"train@{second}": pytest.approx(60 * work_of(second) / work_of(first)),
        "train@nobody": 0.0,
        f"evaluate@{first}": 0.0,
    }


def test_without_known_trainings_work_stands_for_seconds(project: dict[str, Any]) -> None:
    write(project)
    first, *_ = project["experiments"]
    Path("timings").mkdir()
    Path(f"timings/{first}_train.json").write_text("{")
    assert expected_seconds({f"train@{first}": set()}) == {f"train@{first}": work_of(first)}


def test_work_is_lines_times_what_a_line_takes(project: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    by_ce, *_, endless = project["experiments"]
    experiments, lines = project["experiments"], project["lines"]
    assert experiments[by_ce]["loss"] == "ce"
    assert experiments[endless]["loss"] == "ctc"
    count = lines[experiments[by_ce]["lines"]]["train"]
    experiments[by_ce]["training"] = {"max_epochs": 3, "seeds": [1, 2]}
    experiments[endless]["training"] = {"max_epochs": 2, "endless": {"lines_per_epoch": 4 * count}}
    write(project)
    monkeypatch.setattr(module, "TIME_OF_A_LINE", {experiments[by_ce]["model"]["name"]: 1.25})
    monkeypatch.setattr(module, "AT_RANDOM", 2.0)
    assert (work_of(by_ce), work_of(endless)) == (2 * 1.25 * 2 * 3 * count, 2 * 4 * count)
    assert work_of("nobody") == 0


def test_times_of_a_line_are_of_models_that_there_are() -> None:
    assert set(module.TIME_OF_A_LINE) < set(MODELS)
