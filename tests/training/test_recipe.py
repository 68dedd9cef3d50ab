"""The settings of training that go beyond the lecture's."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from pipeline.data.loading.batches import LineDataset
from pipeline.data.loading.streaming import StreamingLines
from pipeline.inference.evaluate import evaluate
from pipeline.settings.experiment import TrainingSettings
from pipeline.training.lit_module import LitRecognizer
from pipeline.training.resume import Progress
from pipeline.training.train import train
from pipeline.training.trainer import make_adam, make_adamw, optimizer_of
from tests.data.loading.test_streaming import VARIETY, endless
from tests.tiny import FP32, RESNETS, tiny_lines, tiny_settings, tiny_training
from tests.training.test_train import Interruption, fit, interrupt_in, weights_of

LINES = tiny_lines(["ABC", "one A"], max_length=10)
RECIPE = {
    "max_epochs": 4,
    "optimizer": "adamw",
    "weight_decay": 0.1,
    "one_cycle": True,
    "warm_up": 0.25,
    "average_decay": 0.5,
    "intermediate_weight": 0.25,
    "label_smoothing": 0.05,
}


def source(count: int = 12) -> StreamingLines:
    return endless(count, **VARIETY)


@pytest.mark.parametrize(
    ("name", "rate", "epochs"),
    [("line_resnet_lstm", 0.005, 40), ("line_resnet_transformer", 0.003, 40), ("line_resnet_conformer", 0.003, 40)],
)
def test_four_lines_are_learned_by_heart(name: str, rate: float, epochs: int) -> None:
    texts = ["AB", "CCA", "hi B", "A"]
    training = tiny_training(
        max_epochs=epochs, learning_rate=rate, optimizer="adamw", one_cycle=True, early_stopping_patience=1000
    )
    sizes = {"conv_dim": 8, "lstm_dim": 32} if name == "line_resnet_lstm" else {"conv_dim": 8}
    trained = fit(tiny_settings(name, **sizes), training, texts * 8, texts)
    result = evaluate(trained.recognizer, tiny_lines(texts), batch_size=3, arithmetic=FP32)
    assert result.predictions["prediction"].tolist() == texts


def test_adamw_lets_weights_decay_and_nothing_else() -> None:
    layer = nn.Linear(2, 1)
    nn.init.constant_(layer.weight, 4.0)
    nn.init.constant_(layer.bias, 4.0)
    optimizer = make_adamw(layer.parameters(), 0.5, weight_decay=0.1)
    layer(torch.ones(1, 2)).backward(torch.zeros(1, 1))
    optimizer.step()
    # Without a gradient the weights shrink by rate times decay.
    assert layer.weight.tolist() == [[pytest.approx(3.8), pytest.approx(3.8)]]
    assert layer.bias.tolist() == [4.0]


@pytest.mark.parametrize(("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_the_settings_name_the_optimizer(name: str, kind: type) -> None:
    optimizer = optimizer_of(tiny_training(optimizer=name, weight_decay=0.25))(nn.Linear(2, 2).parameters(), 0.125)
    assert type(optimizer) is kind
    assert {group["lr"] for group in optimizer.param_groups} == {0.125}
    assert optimizer.param_groups[0]["weight_decay"] == (0.25 if name == "adamw" else 0)


def test_the_defaults_are_the_lectures() -> None:
    fields = TrainingSettings.model_fields
    defaults = {name: fields[name].default for name in ("optimizer", "weight_decay", "average_decay", "endless")}
    assert defaults == {"optimizer": "adam", "weight_decay": 0.0, "average_decay": None, "endless": None}


def test_warm_up_says_when_the_rate_is_highest() -> None:
    training = tiny_training(max_epochs=8, one_cycle=True, warm_up=0.5, learning_rate=0.01)
    rates = fit(tiny_settings("line_cnn"), training).history["learning_rate"]
    assert rates.idxmax() == 2  # one step an epoch, after which the next step's rate is logged
    assert rates.max() == pytest.approx(0.01)


def test_an_average_follows_the_weights() -> None:
    """With a decay of d, the average after two steps is d (d w0 + (1 - d) w1) + (1 - d) w2."""
    settings = tiny_settings("line_cnn")
    plain = [
        dict(fit(settings, tiny_training(max_epochs=epochs), ["AB", "A"], ["AB"]).recognizer.model.named_parameters())
        for epochs in (1, 2)
    ]
    start = dict(
        fit(settings, tiny_training(learning_rate=1e-30), ["AB", "A"], ["AB"]).recognizer.model.named_parameters()
    )
    averaged = fit(settings, tiny_training(max_epochs=2, average_decay=0.75), ["AB", "A"], ["AB"])
    for name, found in averaged.recognizer.model.named_parameters():
        # PyTorch's average begins as the weights after the first step.
        begun = plain[0][name]
        expected = 0.75 * begun + 0.25 * plain[1][name]
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
        assert not torch.equal(found, plain[1][name])
        assert not torch.equal(begun, start[name])


@pytest.mark.parametrize("loss", ["ctc", "ce"])
def test_intermediate_logits_have_their_share_of_the_loss(loss: str) -> None:
    settings = tiny_settings("line_cnn_lstm", loss, intermediate=True, limit_output_length=loss == "ce")
    recognizer, lines = settings.build(), tiny_lines(["AB", "CCA", "A"])
    batch = LineDataset(lines).__getitems__([0, 1, 2])
    module = LitRecognizer(recognizer, make_adam, 0.001, intermediate_weight=0.25).eval()  # without dropout
    logged: dict[str, float] = {}
    module.log = lambda name, value, **_: logged.update({name: float(torch.as_tensor(value).detach())})  # type: ignore[method-assign, assignment]
    total = module.training_step(batch, 0).detach()
    (inner, own), lengths = recognizer.logits_by_depth(batch.images, batch.widths)
    losses = [float(recognizer.objective.loss(logits.detach(), lengths, batch.texts)) for logits in (inner, own)]
    assert losses[0] != pytest.approx(losses[1], rel=1e-3)
    assert float(total) == pytest.approx(0.25 * losses[0] + 0.75 * losses[1])
    assert logged["train_loss"] == pytest.approx(losses[1])
    assert float(module.validation_step(batch, 0).detach()) == pytest.approx(losses[1])


@pytest.mark.parametrize("loss", ["ctc", "ce"])
def test_all_classes_alike_have_their_share_of_each_loss(loss: str) -> None:
    settings = tiny_settings("line_cnn_lstm", loss, intermediate=True, limit_output_length=loss == "ce")
    recognizer, batch = settings.build(), LineDataset(tiny_lines(["AB", "CCA", "A"])).__getitems__([0, 1, 2])
    module = LitRecognizer(recognizer, make_adam, 0.001, intermediate_weight=0.25, label_smoothing=0.1).eval()
    logged: dict[str, float] = {}
    module.log = lambda name, value, **_: logged.update({name: float(torch.as_tensor(value).detach())})  # type: ignore[method-assign, assignment]
    total = module.training_step(batch, 0).detach()
    (inner, own), lengths = recognizer.logits_by_depth(batch.images, batch.widths)
    objective = recognizer.objective
    losses = [float(objective.loss(logits.detach(), lengths, batch.texts)) for logits in (inner, own)]
    alike = [float(objective.uniform_loss(logits.detach(), lengths)) for logits in (inner, own)]
    smoothed = [0.9 * one + 0.1 * other for one, other in zip(losses, alike, strict=True)]
    assert float(total) == pytest.approx(0.25 * smoothed[0] + 0.75 * smoothed[1])
    assert logged["train_loss"] == pytest.approx(losses[1])
    assert float(module.validation_step(batch, 0).detach()) == pytest.approx(losses[1])


def test_what_is_kept_is_what_was_validated() -> None:
    lines = tiny_lines(["AB", "CCA", "A"])
    training = tiny_training(max_epochs=6, average_decay=0.5, learning_rate=0.01)
    trained = train(tiny_settings("line_resnet_lstm"), training, lines, lines)
    trained.recognizer.model.eval()
    with torch.no_grad():
        logits, lengths = trained.recognizer.logits(torch.from_numpy(lines.images), lines.widths.tolist())
        loss = float(trained.recognizer.objective.loss(logits, lengths, lines.texts))
    assert loss == pytest.approx(trained.history["val_loss"].min(), rel=1e-4)


@pytest.mark.parametrize("epoch", [0, 2])
@pytest.mark.parametrize("name", RESNETS)
def test_an_interrupted_training_on_endless_lines_ends_as_if_it_never_had_been(
    name: str, epoch: int, tmp_path: Path
) -> None:
    settings, training = tiny_settings(name, max_length=10, dropout=0.1, intermediate=True), tiny_training(**RECIPE)
    whole = train(settings, training, source(), LINES)
    assert whole.history["step"].tolist() == [3, 6, 9, 12]  # 12 lines, 4 at a time
    progress = Progress(tmp_path)
    with pytest.raises(Interruption):
        train(settings, training, source(), LINES, interrupt_in(epoch), progress)
    resumed = train(settings, training, source(), LINES, progress=progress)
    pd.testing.assert_frame_equal(resumed.history, whole.history, check_exact=True)
    assert weights_of(resumed, settings, tmp_path) == weights_of(whole, settings, tmp_path)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_gradients_are_clipped_in_mixed_precision(optimizer: str) -> None:
    trainer = {"precision": "bf16-mixed", "gradient_clip_val": 1e-12}
    changes = {"optimizer": optimizer, "one_cycle": True, "learning_rate": 0.01, "max_epochs": 2}
    moved = fit(tiny_settings("line_resnet_lstm"), tiny_training(trainer, **changes))
    assert moved.history["step"].tolist() == [1, 2]
