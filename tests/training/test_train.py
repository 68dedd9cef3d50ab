from pathlib import Path

import pandas as pd
import pytest
import torch

from pipeline.common.errors import InputError
from pipeline.data.storage.lines import Lines
from pipeline.inference.evaluate import evaluate
from pipeline.metrics.epoch import EpochMetrics
from pipeline.models.checkpoint import save_checkpoint
from pipeline.models.recognizer import Recognizer
from pipeline.objectives.ctc import CTC
from pipeline.settings.experiment import TrainingSettings
from pipeline.training import train as module
from pipeline.training.train import build_recognizer, train
from tests.tiny import FP32, tiny_lines, tiny_settings, tiny_training
from tests.training.short import TEXTS, checkpoint_bytes, fit

COLUMNS = [
    *("epoch", "step", "learning_rate", "train_loss", "val_loss"),
    *(f"{part}_{rate}" for part in ("train", "val") for rate in ("cer", "cer_lab", "wer", "exact")),
    *(f"{part}_{rate}" for part in ("train", "val") for rate in ("accuracy", "accuracy_text")),
]


def loss_on(recognizer: Recognizer, lines: Lines) -> float:
    """The loss over all lines as one batch."""
    recognizer.model.eval()
    with torch.no_grad():
        logits, lengths = recognizer.logits(torch.from_numpy(lines.images), lines.widths.tolist())
        return float(recognizer.objective.loss(logits, lengths, lines.texts))


@pytest.mark.parametrize(
    ("name", "loss", "wrap", "sizes", "learning_rate", "epochs"),
    [
        ("line_cnn_simple", "ce", False, {"window_stride": 28}, 0.005, 15),
        ("line_cnn", "ctc", True, {"fc_dim": 64}, 0.005, 40),
        ("line_cnn_lstm", "ce", False, {"conv_dim": 8, "fc_dim": 32, "lstm_dim": 64}, 0.001, 30),
    ],
)
def test_four_lines_are_memorized(
    name: str, loss: str, wrap: bool, sizes: dict[str, int], learning_rate: float, epochs: int
) -> None:
    # A model that sees one window at a time cannot tell a space from the background right of the line.
    texts = ["AB", "CCA", "hiB" if name == "line_cnn_simple" else "hi B", "A"]
    training = tiny_training(max_epochs=epochs, learning_rate=learning_rate, early_stopping_patience=1000)
    trained = fit(tiny_settings(name, loss, wrap=wrap, **sizes), training, texts * 8, texts)
    result = evaluate(trained.recognizer, tiny_lines(texts), batch_size=3, compute=FP32)
    assert result.predictions["prediction"].tolist() == texts
    assert result.metrics["test_cer"] == 0
    assert trained.history["val_cer"].iloc[0] > 0.5


@pytest.mark.parametrize(
    ("name", "rate", "epochs"),
    [("line_resnet_lstm", 0.005, 40), ("line_resnet_transformer", 0.003, 40), ("line_resnet_conformer", 0.003, 40)],
)
def test_four_lines_are_memorized_by_the_resnets(name: str, rate: float, epochs: int) -> None:
    texts = ["AB", "CCA", "hi B", "A"]
    training = tiny_training(
        max_epochs=epochs, learning_rate=rate, optimizer="adamw", one_cycle=True, early_stopping_patience=1000
    )
    sizes = {"conv_dim": 8, "lstm_dim": 32} if name == "line_resnet_lstm" else {"conv_dim": 8}
    trained = fit(tiny_settings(name, **sizes), training, texts * 8, texts)
    result = evaluate(trained.recognizer, tiny_lines(texts), batch_size=3, compute=FP32)
    assert result.predictions["prediction"].tolist() == texts


@pytest.mark.parametrize(("loss", "further"), [("ce", []), ("ctc", ["train_blank_share", "val_blank_share"])])
def test_history_has_one_row_an_epoch(loss: str, further: list[str]) -> None:
    heard: list[tuple[int, dict[str, float]]] = []
    lines = tiny_lines(["AB", "C", "DEF", "G", "HI", "J"])
    training = tiny_training(max_epochs=3, learning_rate=0.002)
    settings = tiny_settings("line_cnn", loss)
    history = train(settings, training, lines, lines, lambda epoch, row: heard.append((epoch, row))).history
    assert sorted(history.columns) == sorted([*COLUMNS, *further])
    assert history["epoch"].tolist() == [0, 1, 2]
    assert history["step"].tolist() == [2, 4, 6]
    assert history["learning_rate"].tolist() == [0.002] * 3
    assert not history.isna().to_numpy().any()
    assert [{"epoch": epoch, **row} for epoch, row in heard] == history.to_dict("records")


@pytest.mark.parametrize(("name", "loss"), [("line_cnn_simple", "ce"), ("line_cnn_lstm", "ctc")])
def test_the_seed_decides_the_weights(name: str, loss: str, tmp_path: Path) -> None:
    settings = tiny_settings(name, loss)
    first, again, other = (fit(settings, tiny_training(max_epochs=2, seeds=[seed]), TEXTS * 3) for seed in (1, 1, 2))
    assert checkpoint_bytes(first, settings, tmp_path) == checkpoint_bytes(again, settings, tmp_path)
    one, two = (trained.recognizer.model.parameters() for trained in (first, other))
    # Six steps of 0.001 move a weight by less: the first weights differ too.
    assert max(float((a - b).detach().abs().max()) for a, b in zip(one, two, strict=True)) > 0.1


def test_the_best_weights_by_validation_loss_are_kept() -> None:
    settings = tiny_settings("line_cnn_simple", "ce")
    training = tiny_training(max_epochs=60, learning_rate=0.02, early_stopping_patience=3)
    trained = fit(settings, training, ["ABCD", "EFGH"] * 4, ["hgfe", "dcba"])
    losses = trained.history["val_loss"]
    assert loss_on(trained.recognizer, tiny_lines(["hgfe", "dcba"], seed=1)) == pytest.approx(losses.min(), rel=1e-4)
    # Training continues until the patience is used up.
    assert len(losses) == losses.idxmin() + 1 + 3 < 60
    assert losses.iloc[-1] > losses.min() * 1.01


def test_training_starts_from_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = tiny_settings("line_cnn", "ce")
    torch.manual_seed(5)
    start = settings.build()
    save_checkpoint(tmp_path / "models" / "start.pt", settings, start)
    read = tiny_settings("line_cnn", "ctc", max_length=5)  # the weights do not depend on the loss
    loaded = build_recognizer(read, "models/start.pt")
    assert type(loaded.objective) is CTC
    assert loaded.objective.max_length == 5
    assert loaded.model.training
    for one, other in zip(loaded.model.parameters(), start.model.parameters(), strict=True):
        assert torch.equal(one, other)
    trained = fit(settings, tiny_training(learning_rate=1e-9), load="models/start.pt")
    for one, other in zip(trained.recognizer.model.parameters(), start.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-7)


@pytest.mark.parametrize(("other", "odd"), [("line_cnn_simple", "conv1.bias"), ("line_cnn_lstm", "convs.0.bias")])
def test_a_checkpoint_of_other_sizes_is_refused(other: str, odd: str, tmp_path: Path) -> None:
    settings = tiny_settings(other)
    save_checkpoint(tmp_path / "start.pt", settings, settings.build())
    with pytest.raises(InputError) as error:
        fit(tiny_settings("line_cnn"), tiny_training(), load=str(tmp_path / "start.pt"))
    assert str(error.value) == (
        f"load: {tmp_path / 'start.pt'} holds a {other} of other sizes than this experiment's line_cnn "
        f"({odd} is in one of them only); give both the same model settings"
    )
    with pytest.raises(InputError, match=r"none\.pt: no such checkpoint"):
        fit(tiny_settings("line_cnn"), tiny_training(), load="none.pt")


def test_the_finder_replaces_the_rate(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[float] = []
    compute = EpochMetrics.compute
    monkeypatch.setattr(EpochMetrics, "compute", lambda self: (counted.append(float(self.lines)), compute(self))[1])
    training = tiny_training(max_epochs=20, learning_rate=0.5, find_learning_rate=True, early_stopping_patience=1)
    history = fit(tiny_settings("line_cnn", "ce"), training, TEXTS * 8).history
    (line,) = capsys.readouterr().out.splitlines()
    found = history["learning_rate"].tolist()
    assert line == f"learning rate: {found[0]:.3g} (found)"
    assert set(found) == {found[0]}
    assert 1e-8 <= found[0] < 0.5
    assert history["step"].tolist() == [8 * (epoch + 1) for epoch in range(len(found))]
    # Validation lines, then training lines, of each epoch; none of the finder's.
    assert counted[-2 * len(found) :] == [4, 32] * len(found)


def test_the_finder_leaves_the_rate_where_it_finds_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.Tuner, "lr_find", lambda self, *args, **kwargs: None)
    training = tiny_training(learning_rate=0.25, find_learning_rate=True)
    assert fit(tiny_settings("line_cnn", "ce"), training).history["learning_rate"].tolist() == [0.25]
    assert capsys.readouterr().out == "learning rate: 0.25 (nothing better found)\n"


@pytest.mark.parametrize(("batches", "steps"), [(1, 3), (2, 2), (3, 1), (5, 1)])
def test_batches_are_accumulated(batches: int, steps: int) -> None:
    training = tiny_training({"accumulate_grad_batches": batches}, max_epochs=2)
    history = fit(tiny_settings("line_cnn", "ce"), training, ["A"] * 12).history
    assert history["step"].tolist() == [steps, 2 * steps]


def test_gradients_are_clipped(tmp_path: Path) -> None:
    settings = tiny_settings("line_cnn", "ce")
    plain, clipped = (
        checkpoint_bytes(fit(settings, tiny_training({"gradient_clip_val": clip}, max_epochs=2)), settings, tmp_path)
        for clip in (None, 1e-6)
    )
    assert plain != clipped


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, scratch = tmp_path / "here", tmp_path / "scratch"
    here.mkdir()
    scratch.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(module.tempfile, "tempdir", str(scratch))
    history = fit(tiny_settings("line_cnn"), tiny_training(find_learning_rate=True)).history
    assert isinstance(history, pd.DataFrame)
    assert list(here.iterdir()) == list(scratch.iterdir()) == []


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
        # PyTorch's average starts with the weights after the first step.
        begun = plain[0][name]
        expected = 0.75 * begun + 0.25 * plain[1][name]
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
        assert not torch.equal(found, plain[1][name])
        assert not torch.equal(begun, start[name])


def test_the_average_that_was_validated_is_kept() -> None:
    lines = tiny_lines(["AB", "CCA", "A"])
    training = tiny_training(max_epochs=6, average_decay=0.5, learning_rate=0.01)
    trained = train(tiny_settings("line_resnet_lstm"), training, lines, lines)
    trained.recognizer.model.eval()
    with torch.no_grad():
        logits, lengths = trained.recognizer.logits(torch.from_numpy(lines.images), lines.widths.tolist())
        loss = float(trained.recognizer.objective.loss(logits, lengths, lines.texts))
    assert loss == pytest.approx(trained.history["val_loss"].min(), rel=1e-4)


def test_the_defaults_are_the_lectures() -> None:
    fields = TrainingSettings.model_fields
    defaults = {name: fields[name].default for name in ("optimizer", "weight_decay", "average_decay", "endless")}
    assert defaults == {"optimizer": "adam", "weight_decay": 0.0, "average_decay": None, "endless": None}
