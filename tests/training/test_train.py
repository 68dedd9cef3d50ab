import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor

from pipeline.common.errors import InputError
from pipeline.data.storage.lines import Lines
from pipeline.inference.evaluate import evaluate
from pipeline.metrics.epoch import EpochMetrics
from pipeline.models.checkpoint import RecognizerSettings, save_checkpoint
from pipeline.models.recognizer import Recognizer
from pipeline.objectives.cross_entropy import CrossEntropy
from pipeline.objectives.ctc import CTC
from pipeline.settings.experiment import TrainingSettings
from pipeline.training import train as module
from pipeline.training import trainer as trainer_module
from pipeline.training.resume import Progress
from pipeline.training.train import initial_recognizer, require_fitting, train
from tests.tiny import FP32, tiny_lines, tiny_settings, tiny_training

TEXTS = ["AB", "CCA", "hi B", "A"]
COLUMNS = [
    *("epoch", "step", "learning_rate", "train_loss", "val_loss"),
    *(f"{part}_{rate}" for part in ("train", "val") for rate in ("cer", "cer_lab", "wer", "exact")),
    *(f"{part}_{rate}" for part in ("train", "val") for rate in ("accuracy", "accuracy_text")),
]


def fit(
    settings: RecognizerSettings,
    training: TrainingSettings,
    texts: Sequence[str] = TEXTS,
    validation: Sequence[str] = TEXTS,
) -> module.Trained:
    return train(settings, training, tiny_lines(texts), tiny_lines(validation, seed=1))


def weights_of(trained: module.Trained, settings: RecognizerSettings, folder: Path) -> bytes:
    save_checkpoint(folder / "model.pt", settings, trained.recognizer)
    return (folder / "model.pt").read_bytes()


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
        ("line_cnn_simple", "ctc", False, {}, 0.005, 15),
        ("line_cnn", "ce", True, {"fc_dim": 64}, 0.005, 25),
        ("line_cnn", "ctc", True, {"fc_dim": 64}, 0.005, 40),
        ("line_cnn_lstm", "ce", False, {"conv_dim": 8, "fc_dim": 32, "lstm_dim": 64}, 0.001, 30),
        ("line_cnn_lstm", "ctc", False, {"conv_dim": 8, "fc_dim": 32, "lstm_dim": 64}, 0.0005, 80),
    ],
)
def test_four_lines_are_learned_by_heart(
    name: str, loss: str, wrap: bool, sizes: dict[str, int], learning_rate: float, epochs: int
) -> None:
    # A space is blank paper: a model that sees one window at a time cannot tell it from the paper after the line.
    texts = ["AB", "CCA", "hiB" if name == "line_cnn_simple" else "hi B", "A"]
    training = tiny_training(max_epochs=epochs, learning_rate=learning_rate, early_stopping_patience=1000)
    trained = fit(tiny_settings(name, loss, wrap=wrap, **sizes), training, texts * 8, texts)
    result = evaluate(trained.recognizer, tiny_lines(texts), batch_size=3, arithmetic=FP32)
    assert result.predictions["prediction"].tolist() == texts
    assert result.metrics["test_cer"] == 0
    assert trained.history["val_cer"].iloc[0] > 0.5


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


def test_training_rates_are_those_of_their_own_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[tuple[float, dict[str, float]]] = []
    compute = EpochMetrics.compute

    def spy(metric: EpochMetrics) -> dict[str, float]:
        computed.append((float(metric.lines), compute(metric)))
        return computed[-1][1]

    monkeypatch.setattr(EpochMetrics, "compute", spy)
    training = tiny_training(max_epochs=4, learning_rate=0.05)
    history = fit(tiny_settings("line_cnn_simple", "ce"), training, TEXTS * 2, TEXTS[:3]).history
    assert [lines for lines, _ in computed] == [3, 8] * 4
    for part, of_part in (("val", computed[0::2]), ("train", computed[1::2])):
        for name in ("cer", "accuracy"):
            expected = [rates[name] for _, rates in of_part]
            assert history[f"{part}_{name}"].tolist() == pytest.approx(expected)
    assert history["train_cer"].nunique() > 1


def test_losses_weigh_every_line_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    # Six lines make batches of four and two: their mean of means is not the mean over lines.
    monkeypatch.setattr(CrossEntropy, "loss", lambda self, logits, lengths, texts: logits.mean() * 0 + len(texts))
    history = fit(tiny_settings("line_cnn", "ce"), tiny_training(), ["A"] * 6, ["B"] * 5).history
    assert history["train_loss"].tolist() == pytest.approx([(4 * 4 + 2 * 2) / 6])
    assert history["val_loss"].tolist() == pytest.approx([(4 * 4 + 1 * 1) / 5])


@pytest.mark.parametrize(("name", "loss"), [("line_cnn_simple", "ce"), ("line_cnn_lstm", "ctc")])
def test_the_seed_decides_the_weights(name: str, loss: str, tmp_path: Path) -> None:
    settings = tiny_settings(name, loss)
    first, again, other = (
        weights_of(fit(settings, tiny_training(max_epochs=2, seeds=[seed]), TEXTS * 3), settings, tmp_path)
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_the_best_weights_by_validation_loss_are_kept() -> None:
    settings = tiny_settings("line_cnn_simple", "ce")
    training = tiny_training(max_epochs=60, learning_rate=0.02, early_stopping_patience=3)
    trained = fit(settings, training, ["ABCD", "EFGH"] * 4, ["hgfe", "dcba"])
    losses = trained.history["val_loss"]
    assert loss_on(trained.recognizer, tiny_lines(["hgfe", "dcba"], seed=1)) == pytest.approx(losses.min(), rel=1e-4)
    # Training goes on for as many epochs as patience lasts, and then ends.
    assert len(losses) == losses.idxmin() + 1 + 3 < 60
    assert losses.iloc[-1] > losses.min() * 1.01


def test_training_starts_from_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    settings = tiny_settings("line_cnn", "ce")
    torch.manual_seed(5)
    start = settings.build()
    save_checkpoint(tmp_path / "models" / "start.pt", settings, start)
    read = tiny_settings("line_cnn", "ctc", max_length=5)  # the weights do not depend on the loss
    loaded = initial_recognizer(read, "models/start.pt")
    assert type(loaded.objective) is CTC
    assert loaded.objective.max_length == 5
    assert loaded.model.training
    for one, other in zip(loaded.model.parameters(), start.model.parameters(), strict=True):
        assert torch.equal(one, other)
    trained = fit(settings, tiny_training(load="models/start.pt", learning_rate=1e-9))
    for one, other in zip(trained.recognizer.model.parameters(), start.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-7)


@pytest.mark.parametrize("other", ["line_cnn_simple", "line_cnn_lstm"])
def test_a_checkpoint_of_other_sizes_is_refused(other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    settings = tiny_settings(other)
    save_checkpoint(tmp_path / "start.pt", settings, settings.build())
    with pytest.raises(InputError) as error:
        fit(tiny_settings("line_cnn"), tiny_training(load="start.pt"))
    assert str(error.value) == (
        f"training.load: {tmp_path / 'start.pt'} holds a {other} of other sizes than this experiment's line_cnn; "
        "give both the same model settings"
    )
    with pytest.raises(InputError, match=r"none\.pt: no such checkpoint"):
        fit(tiny_settings("line_cnn"), tiny_training(load="none.pt"))


@pytest.mark.parametrize("part", ["training", "validation"])
def test_a_line_that_ctc_cannot_write_is_refused(part: str) -> None:
    settings = tiny_settings("line_cnn_simple", "ctc", window_stride=35)
    texts = {"training": ["AB"], "validation": ["AB"], part: ["AB", "ABBA"]}
    with pytest.raises(InputError) as error:
        fit(settings, tiny_training(), texts["training"], texts["validation"])
    assert str(error.value) == (
        "experiments: CTC cannot fit 1 of 3 lines: 'ABBA' and its repeats need 5 steps; it is 112 pixels wide, "
        "which makes S = 4 with windows of 28 every 35 pixels; choose a smaller window_stride"
    )


@pytest.mark.parametrize(
    ("text", "width", "stride", "wrap", "fits"),
    [
        ("ABC", 84, 28, False, True),
        ("ABB", 84, 28, False, False),
        ("ABB", 85, 28, False, True),
        ("AAA", 84, 21, False, False),
        ("AAA", 84, 20, False, True),
        ("AB", 84, 28, True, False),
        ("AB", 84, 27, True, True),
    ],
)
def test_which_lines_ctc_can_write(text: str, width: int, stride: int, wrap: bool, fits: bool) -> None:
    recognizer = tiny_settings("line_cnn_simple", "ctc", wrap=wrap, window_stride=stride).build()
    if fits:
        require_fitting(recognizer, ["A", text], [84, width])
    else:
        with pytest.raises(InputError, match=f"'{text}' .* {width} pixels wide, .* every {stride} pixels"):
            require_fitting(recognizer, ["A", text], [84, width])


def test_a_rare_crowded_line_is_named_but_not_refused(capsys: pytest.CaptureFixture[str]) -> None:
    recognizer = tiny_settings("line_cnn_simple", "ctc", window_stride=28).build()
    texts, widths = ["A"] * 99 + ["400000"], [28] * 99 + [151]
    require_fitting(recognizer, texts, widths)
    (line,) = capsys.readouterr().out.splitlines()
    assert line == (
        "train: 1 of 100 lines teach nothing, as CTC cannot fit them: '400000' and its repeats need 10 steps; "
        "it is 151 pixels wide, which makes S = 6 with windows of 28 every 28 pixels"
    )
    with pytest.raises(InputError, match="CTC cannot fit 1 of 99 lines: '400000'"):
        require_fitting(recognizer, texts[1:], widths[1:])


def test_cross_entropy_asks_nothing_of_steps() -> None:
    settings = tiny_settings("line_cnn_simple", "ce", window_stride=100)
    assert len(fit(settings, tiny_training(), ["AAAA"], ["AAAA"]).history) == 1


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_loss_that_is_no_number_stops_the_training(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def loss(self: CrossEntropy, logits: Tensor, lengths: Sequence[int], texts: Sequence[str]) -> Tensor:
        nonlocal calls
        calls += 1
        return logits.mean() * 0 + (float(value) if calls == 6 else 1)

    monkeypatch.setattr(CrossEntropy, "loss", loss)
    # An epoch has three batches of training and one of validation, so that the sixth loss is epoch 1's second.
    with pytest.raises(InputError) as error:
        fit(tiny_settings("line_cnn", "ce"), tiny_training(max_epochs=9), ["A"] * 12)
    assert str(error.value) == (
        f"training: the loss is {value} at step 4 of epoch 1 on 4 of 4 training lines in the batch: "
        "7 'A', 1 'A', 0 'A', 3 'A'; "
        "lower training.learning_rate or set training.trainer.gradient_clip_val"
    )


def one_cycle(step: int, total: int, peak: float) -> float:
    """OneCycle's rate at a step: from peak / 25 up, and down to peak / 250,000, each along half a cosine."""
    rise = 0.3 * total - 1
    if step <= rise:
        low, high, share = peak, peak / 25, step / rise
    else:
        low, high, share = peak / 25 / 1e4, peak, (step - rise) / (total - 1 - rise)
    return low + (high - low) * (1 + math.cos(math.pi * share)) / 2


def test_one_cycle_raises_and_lowers_the_rate() -> None:
    training = tiny_training(max_epochs=10, one_cycle=True, learning_rate=0.01)
    history = fit(tiny_settings("line_cnn", "ce"), training, ["A"] * 8).history
    # Two steps an epoch, and after each step the rate of the next.
    expected = [one_cycle(2 * epoch, 20, 0.01) for epoch in range(1, 10)]
    assert history["learning_rate"].tolist()[:-1] == pytest.approx(expected)


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
    # Lines of validation and of training in each epoch, and none of the finder's.
    assert counted[-2 * len(found) :] == [4, 32] * len(found)


def test_the_finder_leaves_the_rate_where_it_finds_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_module.Tuner, "lr_find", lambda self, *args, **kwargs: None)
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
        weights_of(fit(settings, tiny_training({"gradient_clip_val": clip}, max_epochs=2)), settings, tmp_path)
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


class Interruption(Exception):
    """Stands for whatever ends a process."""


def interrupt_in(epoch: int) -> Callable[[int, dict[str, float]], None]:
    """Ends the training in that epoch, before it is saved."""

    def on_epoch(number: int, _row: dict[str, float]) -> None:
        if number == epoch:
            raise Interruption

    return on_epoch


@pytest.mark.parametrize(
    ("name", "loss", "changes"),
    [
        ("line_cnn_simple", "ce", {}),
        ("line_cnn_lstm", "ctc", {"one_cycle": True}),
        ("line_cnn", "ce", {"learning_rate": 0.05, "early_stopping_patience": 1, "max_epochs": 30}),
        ("line_cnn", "ce", {"find_learning_rate": True}),
    ],
)
def test_an_interrupted_training_ends_as_if_it_never_had_been(
    name: str, loss: str, changes: dict[str, object], tmp_path: Path
) -> None:
    settings, training = (
        tiny_settings(name, loss),
        tiny_training(**{"max_epochs": 5, "learning_rate": 0.002, **changes}),
    )
    lines, validation = tiny_lines(TEXTS * 3), tiny_lines(TEXTS, seed=1)
    whole = train(settings, training, lines, validation)
    progress = Progress(tmp_path / "progress")
    epochs = len(whole.history)
    for epoch in sorted({0, 1, epochs - 1}):  # in the first one, twice later, in the last one
        with pytest.raises(Interruption):
            train(settings, training, lines, validation, interrupt_in(epoch), progress)
        assert progress.last.exists() is (epoch > 0)
    heard: list[int] = []
    resumed = train(settings, training, lines, validation, lambda epoch, _row: heard.append(epoch), progress)
    assert heard == [epochs - 1]
    pd.testing.assert_frame_equal(resumed.history, whole.history, check_exact=True)
    assert weights_of(resumed, settings, tmp_path) == weights_of(whole, settings, tmp_path)
    # Interrupted after the last epoch, before its results were written:
    again = train(settings, training, lines, validation, lambda epoch, _row: heard.append(epoch), progress)
    assert heard == [epochs - 1]
    pd.testing.assert_frame_equal(again.history, whole.history, check_exact=True)
    assert weights_of(again, settings, tmp_path) == weights_of(whole, settings, tmp_path)
