from pathlib import Path

import pytest

from pipeline.tracking import pending as module
from pipeline.tracking.model import log_model
from pipeline.tracking.pending import PendingWrites
from pipeline.tracking.run import Run
from pipeline.tracking.start import start_run
from pipeline.tracking.store import Store
from pipeline.tracking.store_errors import StoreUnreachableError


class Clock:
    """Time that passes only when the store is waited for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(module, "monotonic", lambda: self.now)
        monkeypatch.setattr(module, "sleep", self.wait)

    def wait(self, seconds: float) -> None:
        self.now += seconds


class Unsteady:
    """A store that does not answer for a while; each try then takes two seconds."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.answers = clock, False
        self.written: list[int] = []
        self.tries = 0

    def write(self, number: int) -> None:
        self.tries += 1
        if not self.answers:
            self.clock.wait(2)
            raise StoreUnreachableError("the store does not answer")
        self.written.append(number)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_what_is_logged_in_an_outage_is_written_in_order(clock: Clock, capfd: pytest.CaptureFixture[str]) -> None:
    store, writes = Unsteady(clock), PendingWrites()
    for number in range(3):
        writes.add(lambda number=number: store.write(number))  # type: ignore[misc]
        writes.try_now()
    assert store.tries == 1  # the next one is due ten times the two seconds later
    clock.wait(19)
    writes.try_now()
    assert store.tries == 1
    clock.wait(1)
    writes.try_now()
    assert (store.tries, bool(writes)) == (2, True)
    store.answers = True
    clock.wait(20)
    writes.try_now()
    assert (store.written, bool(writes)) == ([0, 1, 2], False)
    warning = "warning: the store does not answer; the work goes on, and what it logs waits\n"
    assert capfd.readouterr() == ("", warning)


def test_the_end_waits_for_the_store_only_so_long(clock: Clock) -> None:
    store, writes = Unsteady(clock), PendingWrites()
    writes.add(lambda: store.write(0))
    with pytest.raises(StoreUnreachableError):
        writes.write_all(30)
    assert 130 <= clock.now <= 133


def test_other_errors_are_raised_at_once(clock: Clock) -> None:
    writes = PendingWrites()
    writes.add(lambda: [].remove(1))
    with pytest.raises(ValueError):
        writes.try_now()
    with pytest.raises(ValueError):
        writes.write_all(30)
    assert clock.now == 100


def test_a_run_begins_when_the_store_answers(
    store: Store, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from pipeline.tracking import start

    def refuse() -> Store:
        raise StoreUnreachableError("MLflow store x does not answer")

    monkeypatch.setattr(module, "PAUSE", 0)
    monkeypatch.setattr(start, "open_store", refuse)
    with start_run("key", {"a": 1}, {"b": "c"}) as run:
        run.log_epoch(0, {"loss": 2.0})
        assert run.id == ""
        monkeypatch.setattr(start, "open_store", lambda: store)
        run.log_epoch(1, {"loss": 1.0})
        assert run.id
    kept = store.client.get_run(run.id)
    assert (kept.info.status, kept.data.params) == ("FINISHED", {"a": "1"})
    assert [point.step for point in store.client.get_metric_history(run.id, "loss")] == [0, 1]
    assert capfd.readouterr().err.splitlines() == [
        "warning: MLflow store x does not answer; the work goes on, and what it logs waits"
    ]


def test_settings_that_waited_at_the_begin_are_written_too(store: Store) -> None:
    with start_run("key", {}, {}) as first:
        pass
    begun = Run(store, first.id, best_effort=True)
    begun.pending.add(lambda: store.client.log_param(first.id, "a", 1))
    with Run.begun_later(lambda: begun, StoreUnreachableError("no answer"), module.monotonic()) as run:
        run.log_metrics({"loss": 1.0})
    kept = store.client.get_run(run.id)
    assert (run.id, kept.data.params, kept.data.metrics) == (first.id, {"a": "1"}, {"loss": 1.0})


def test_metrics_of_an_outage_keep_their_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.tracking import run as run_module

    with start_run("key", {}, {}) as run:
        monkeypatch.setattr(run_module, "_now", lambda: 1_000)
        monkeypatch.setattr(PendingWrites, "try_now", lambda self: None)
        run.log_metrics({"loss": 1.0})
        monkeypatch.setattr(run_module, "_now", lambda: 9_000)
    (point,) = store.client.get_metric_history(run.id, "loss")
    assert point.timestamp == 1_000
    assert store.client.get_run(run.id).info.end_time == 9_000


def test_a_repeated_write_of_a_model_makes_no_second_one(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    calls = []
    monkeypatch.setattr(Model, "log", lambda *_args, **options: calls.append((options["run_id"], options["model_id"])))
    with start_run("key", {}, {}) as run:
        pass
    first = log_model(store, run.id, tmp_path / "model.pt", 0, 28)
    store.client.log_outputs(run.id, [LoggedModelOutput(first, 0)])  # as `Model.log` does, before it writes the files
    assert log_model(store, run.id, tmp_path / "model.pt", 0, 28) == first
    assert calls == [(run.id, first), (None, first)]
