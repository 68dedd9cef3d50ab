from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.common.errors import InputError
from pipeline.data.storage.lines import Lines
from pipeline.objectives.ctc import CTC
from pipeline.training.resume import Progress
from pipeline.training.train import USUAL_PLATEAU, describe_blanks, train
from tests.tiny import tiny_lines, tiny_settings, tiny_training

TEXTS = ["AB", "CCA", "hi B", "A", "BA", "XY"]
TRAINING = tiny_training(max_epochs=9, batch_size=3)


def poisoned(monkeypatch: pytest.MonkeyPatch, text: str, from_call: int) -> None:
    """Let the loss of the line that says `text` be no number, from some call on."""
    calls = 0
    loss = CTC.loss

    def spoilt(self: CTC, logits: torch.Tensor, lengths: list[int], texts: list[str]) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return loss(self, logits, lengths, texts) * (float("nan") if text in texts and calls >= from_call else 1)

    monkeypatch.setattr(CTC, "loss", spoilt)


def run(training_lines: Lines, progress: Progress | None = None) -> str:
    with pytest.raises(InputError) as error:
        train(tiny_settings("line_cnn"), TRAINING, training_lines, tiny_lines(["C", "D"]), progress=progress)
    return str(error.value)


def test_the_line_at_fault_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    poisoned(monkeypatch, "hi B", 1)
    message = run(tiny_lines(TEXTS))
    assert "on 1 of 3 training lines in the batch: 2 'hi B'; lower training.learning_rate" in message
    assert "last.ckpt" not in message


def test_the_last_good_checkpoint_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Two batches and one of validation in an epoch: the seventh loss is epoch 2's first.
    poisoned(monkeypatch, "hi B", 7)
    message = run(tiny_lines(TEXTS), Progress(tmp_path))
    assert "of epoch 2 on 1 of 3 training lines" in message
    assert message.endswith(f"; the weights after the last whole epoch are in {tmp_path / 'last.ckpt'}")
    kept = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert kept["epoch"] == 1
    assert all(bool(torch.isfinite(weights).all()) for weights in kept["state_dict"].values())


def test_a_validation_loss_stops_the_training_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    poisoned(monkeypatch, "D", 1)
    message = run(tiny_lines(TEXTS), Progress(tmp_path))
    assert "of epoch 0 on 1 of 2 validation lines in the batch: 1 'D'; " in message
    assert not (tmp_path / "last.ckpt").exists()


@pytest.mark.parametrize(
    ("steps", "shares", "said"),
    [
        (40, [1.0, 1.0], "only blanks after 40 steps; usual up to about 400"),
        (USUAL_PLATEAU, [1.0, 1.0], "only blanks after 400 steps; it is usual only up to about 400"),
        (500, [1.0, 0.7], None),
        (40, None, None),
    ],
)
def test_a_model_that_reads_nothing_is_reported(steps: int, shares: list[float] | None, said: str | None) -> None:
    history = pd.DataFrame({"step": np.array([steps // 2, steps], float), "val_loss": [3.0, 2.0]})
    if shares:
        history["val_blank_share"] = shares
    line = describe_blanks(history)
    assert line is None if said is None else said in str(line)
