import os

import pytest

from pipeline.cores import count_cores


def test_cores_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {1, 5, 6}, raising=False)
    assert count_cores() == 3


@pytest.mark.parametrize(("of_machine", "cores"), [(8, 8), (None, 1)])
def test_where_a_system_does_not_say_it_is_all(
    of_machine: int | None, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: of_machine)
    assert count_cores() == cores
