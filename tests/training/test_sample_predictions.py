from pathlib import Path

import pytest

from pipeline.training.resume import TrainingProgress
from pipeline.training.sample_predictions import SamplePredictions
from pipeline.training.train import train
from tests.tiny import tiny_lines, tiny_settings, tiny_training

LINES = tiny_lines(["NA", "007", "hi B", "a", "bc", "Zoo"])


@pytest.mark.parametrize(("epochs", "read"), [(1, [0]), (2, [0, 1]), (5, [0, 2, 4])])
def test_lines_are_predicted_after_the_first_a_middle_and_the_last_epoch(epochs: int, read: list[int]) -> None:
    seen: list[tuple[int, int]] = []
    train(
        tiny_settings("line_cnn"),
        tiny_training(max_epochs=epochs),
        LINES,
        LINES,
        on_predictions=lambda epoch, texts: seen.append((epoch, len(texts))),
    )
    assert seen == [(epoch, 6) for epoch in read]


def test_the_last_epoch_is_predicted_at_its_end() -> None:
    assert SamplePredictions(LINES, 5, lambda epoch, texts: None).epochs == {0, 2, 4}


def test_lines_are_predicted_when_training_stops_early() -> None:
    seen: list[int] = []
    training = tiny_training(max_epochs=50, early_stopping_patience=1, learning_rate=0.3)
    trained = train(
        tiny_settings("line_cnn"), training, LINES, LINES, on_predictions=lambda epoch, texts: seen.append(epoch)
    )
    assert 1 < len(trained.history) < 25
    assert seen == [0, len(trained.history) - 1]


@pytest.mark.parametrize("model", ["line_cnn_simple", "line_cnn_lstm"])
def test_the_callback_does_not_change_the_training(model: str, tmp_path: Path) -> None:
    settings = tiny_settings(model, **({"lstm_layers": 2, "lstm_dropout": 0.5} if "lstm" in model else {}))
    training = tiny_training(max_epochs=3)
    plain = train(settings, training, LINES, LINES)
    read = train(
        settings, training, LINES, LINES, progress=TrainingProgress(tmp_path), on_predictions=lambda epoch, texts: None
    )
    assert plain.history.equals(read.history)
    for name, weights in plain.recognizer.model.state_dict().items():
        assert weights.equal(read.recognizer.model.state_dict()[name])
