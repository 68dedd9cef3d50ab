from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from pipeline.common.errors import InputError
from pipeline.data.storage.lines import Lines
from pipeline.objectives.cross_entropy import CrossEntropy
from pipeline.objectives.ctc import CTC
from pipeline.training import callbacks
from pipeline.training.callbacks import History, SameStart
from pipeline.training.resume import TrainingProgress
from pipeline.training.train import train
from tests.tiny import tiny_lines, tiny_settings, tiny_training
from tests.training.short import fit

TEXTS = ["AB", "CCA", "hi B", "A", "BA", "XY"]
TRAINING = tiny_training(max_epochs=9, batch_size=3)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that a test sets."""
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


def test_seconds_count_whole_epochs_before_and_after_an_interruption(clock: SimpleNamespace) -> None:
    first = History(lambda epoch, row: None)
    clock.now += 100  # finding a learning rate
    first.on_train_start(trainer(0), None)
    for epoch in range(2):
        clock.now += 10
        first.on_train_epoch_end(trainer(epoch), None)
    saved = first.state_dict()
    clock.now += 7  # an unfinished epoch
    second = History(lambda epoch, row: None)
    second.load_state_dict(saved)
    clock.now += 100
    second.on_train_start(trainer(2), None)
    clock.now += 4
    second.on_train_epoch_end(trainer(2), None)
    assert second.seconds == 24
    assert second.rows == [{"step": epoch + 1, "learning_rate": 0.5, "val_loss": 1.5} for epoch in range(3)]


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_loss_that_is_not_finite_stops_the_training(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def loss(self: CrossEntropy, logits: Tensor, lengths: Sequence[int], texts: Sequence[str]) -> Tensor:
        nonlocal calls
        calls += 1
        return logits.mean() * 0 + (float(value) if calls == 6 else 1)

    monkeypatch.setattr(CrossEntropy, "loss", loss)
    # An epoch has three training batches and one validation batch: the sixth loss is the second of epoch 1.
    with pytest.raises(InputError) as error:
        fit(tiny_settings("line_cnn", "ce"), tiny_training(max_epochs=9), ["A"] * 12)
    assert str(error.value) == (
        f"training: the loss is {value} at step 4 of epoch 1 on 4 of 4 training lines in the batch: "
        "7 'A', 1 'A', 0 'A', 3 'A'; "
        "lower training.learning_rate or set training.trainer.gradient_clip_val"
    )


def poison(monkeypatch: pytest.MonkeyPatch, text: str, from_call: int) -> None:
    """Make the loss of the line `text` NaN, starting with the call number `from_call`."""
    calls = 0
    loss = CTC.loss

    def poisoned_loss(self: CTC, logits: torch.Tensor, lengths: list[int], texts: list[str]) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return loss(self, logits, lengths, texts) * (float("nan") if text in texts and calls >= from_call else 1)

    monkeypatch.setattr(CTC, "loss", poisoned_loss)


def run(training_lines: Lines, progress: TrainingProgress | None = None) -> str:
    with pytest.raises(InputError) as error:
        train(tiny_settings("line_cnn"), TRAINING, training_lines, tiny_lines(["C", "D"]), progress=progress)
    return str(error.value)


def test_the_line_at_fault_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    poison(monkeypatch, "hi B", 1)
    message = run(tiny_lines(TEXTS))
    assert "on 1 of 3 training lines in the batch: 2 'hi B'; lower training.learning_rate" in message
    assert "last.ckpt" not in message


def test_the_last_good_checkpoint_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # An epoch has two training batches and one validation batch: the seventh loss is the first of epoch 2.
    poison(monkeypatch, "hi B", 7)
    message = run(tiny_lines(TEXTS), TrainingProgress(tmp_path))
    assert "of epoch 2 on 1 of 3 training lines" in message
    assert message.endswith(f"; the weights after the last whole epoch are in {tmp_path / 'last.ckpt'}")
    kept = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert kept["epoch"] == 1
    assert all(bool(torch.isfinite(weights).all()) for weights in kept["state_dict"].values())


def test_a_validation_loss_stops_the_training_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    poison(monkeypatch, "D", 1)
    message = run(tiny_lines(TEXTS), TrainingProgress(tmp_path))
    assert "of epoch 0 on 1 of 2 validation lines in the batch: 1 'D'; " in message
    assert not (tmp_path / "last.ckpt").exists()


@pytest.mark.parametrize(
    ("first", "problem"),
    [
        ((1, True), "training: seed 1 begins here, but seed 1 resumes on the first node"),
        ((2, False), "training: seed 1 begins here, but seed 2 begins on the first node"),
    ],
)
def test_nodes_that_begin_at_different_points_are_refused(first: tuple[int, bool], problem: str) -> None:
    node: Any = SimpleNamespace(strategy=SimpleNamespace(broadcast=lambda own: first))
    with pytest.raises(InputError, match=f"^{problem}; let all nodes share the folder .training"):
        SameStart(1, resumes=False).setup(node, None, "fit")
    SameStart(*first).setup(node, None, "fit")
