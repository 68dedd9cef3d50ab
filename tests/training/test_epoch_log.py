import re
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from pipeline.training.epoch_log import EpochLog
from pipeline.training.train import train
from tests.tiny import tiny_lines, tiny_settings, tiny_training

LINES, VALIDATION = tiny_lines(["AB", "C", "DEF", "G", "HI"]), tiny_lines(["AB", "C"])
TRAINING = tiny_training(max_epochs=3, learning_rate=0.002)


def test_a_log_gets_a_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    rows = train(tiny_settings("line_cnn"), TRAINING, LINES, VALIDATION).history.to_dict("records")
    printed = capsys.readouterr()
    assert printed.out == ""
    for line, row in zip(printed.err.splitlines(), rows, strict=True):
        start, end = line.split(f"{row['val_cer']:.2%}, ")
        assert start == (
            f"epoch {row['epoch'] + 1:.0f} of 3: training loss {row['train_loss']:.4f}, "
            f"validation loss {row['val_loss']:.4f}, validation CER "
        )
        left = "" if row["epoch"] == 2 else r", about 0:0\d:\d\d left"
        assert re.fullmatch(rf"\d+ lines/s{left}", end)


def test_the_line_is_printed_when_its_epoch_ends(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[str] = []
    train(tiny_settings("line_cnn"), TRAINING, LINES, VALIDATION, lambda *_: heard.append(capsys.readouterr().err))
    assert [text.count("epoch ") for text in heard] == [0, 1, 1]  # the history hears of an epoch first


@pytest.mark.parametrize("main_process", [True, False])
def test_speed_is_that_of_training_and_time_left_that_of_whole_epochs(
    main_process: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"train_loss": torch.tensor(2.5), "val_loss": torch.tensor(1.25), "val_cer": torch.tensor(0.125)}
    trainer: Any = SimpleNamespace(
        callback_metrics=values, is_global_zero=main_process, current_epoch=4, max_epochs=1000
    )
    ticks = iter([100.0, 148.0, 150.2])
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    callback, module = EpochLog(lines=1200), pl.LightningModule()
    callback.on_train_epoch_start(trainer, module)
    callback.on_validation_start(trainer, module)
    callback.on_train_epoch_end(trainer, module)
    line = (
        "epoch 5 of 1000: training loss 2.5000, validation loss 1.2500, validation CER 12.50%, 25 lines/s, "
        "about 13:52:29 left\n"
    )
    assert capsys.readouterr() == ("", line if main_process else "")


def test_a_terminal_gets_the_bar_alone(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    train(tiny_settings("line_cnn"), TRAINING, LINES, VALIDATION)
    printed = capsys.readouterr()
    assert "training loss" not in printed.out + printed.err
    assert "Epoch 2: 100%" in printed.out + printed.err
