from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pipeline.training import callbacks
from pipeline.training.callbacks import History


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that stands still unless it is set."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(callbacks.time, "perf_counter", lambda: clock.now)
    return clock


def trainer(epoch: int) -> Any:
    group = {"lr": 0.5}
    return SimpleNamespace(
        callback_metrics={"val_loss": torch.tensor(1.5)},
        optimizers=[SimpleNamespace(param_groups=[group])],
        global_step=epoch + 1,
        current_epoch=epoch,
    )


def test_seconds_are_those_of_whole_epochs_over_interruptions(clock: SimpleNamespace) -> None:
    first = History(lambda epoch, row: None)
    clock.now += 100  # finding a learning rate
    first.on_train_start(trainer(0), None)
    for epoch in range(2):
        clock.now += 10
        first.on_train_epoch_end(trainer(epoch), None)
    saved = first.state_dict()
    clock.now += 7  # of an epoch that is not ended
    second = History(lambda epoch, row: None)
    second.load_state_dict(saved)
    clock.now += 100
    second.on_train_start(trainer(2), None)
    clock.now += 4
    second.on_train_epoch_end(trainer(2), None)
    assert second.seconds == 24
    assert second.rows == [{"step": epoch + 1, "learning_rate": 0.5, "val_loss": 1.5} for epoch in range(3)]
