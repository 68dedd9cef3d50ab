import math

import pytest
import torch

from pipeline.data.loading.batches import LineDataset
from pipeline.metrics.epoch import EpochMetrics
from pipeline.objectives.cross_entropy import CrossEntropy
from pipeline.training import lit_module
from pipeline.training.cuda_graphs import GraphedRecognizer
from pipeline.training.lit_module import LitRecognizer
from tests.tiny import tiny_lines, tiny_settings, tiny_training
from tests.training.short import TEXTS, fit


def test_rates_are_of_the_lines_of_one_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[tuple[float, dict[str, float]]] = []
    compute = EpochMetrics.compute

    def spy(metric: EpochMetrics) -> dict[str, float]:
        computed.append((float(metric.lines), compute(metric)))
        return computed[-1][1]

    monkeypatch.setattr(EpochMetrics, "compute", spy)
    training = tiny_training(max_epochs=4, learning_rate=0.05)
    history = fit(tiny_settings("line_cnn_simple", "ce"), training, TEXTS * 2, TEXTS[:3]).history
    assert [lines for lines, _ in computed] == [3, 8] * 4
    for part, part_rates in (("val", computed[0::2]), ("train", computed[1::2])):
        for name in ("cer", "accuracy"):
            expected = [rates[name] for _, rates in part_rates]
            assert history[f"{part}_{name}"].tolist() == pytest.approx(expected)
    assert history["train_cer"].nunique() > 1


def test_losses_weigh_all_lines_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    # Six lines make batches of four and two: their mean of means is not the mean over lines.
    monkeypatch.setattr(CrossEntropy, "loss", lambda self, logits, lengths, texts: logits.mean() * 0 + len(texts))
    history = fit(tiny_settings("line_cnn", "ce"), tiny_training(), ["A"] * 6, ["B"] * 5).history
    assert history["train_loss"].tolist() == pytest.approx([(4 * 4 + 2 * 2) / 6])
    assert history["val_loss"].tolist() == pytest.approx([(4 * 4 + 1 * 1) / 5])


def one_cycle(step: int, total: int, peak: float) -> float:
    """OneCycle's rate at a step: up from peak / 25, then down to peak / 250,000, each along half a cosine."""
    rise = 0.3 * total - 1
    if step <= rise:
        low, high, share = peak, peak / 25, step / rise
    else:
        low, high, share = peak / 25 / 1e4, peak, (step - rise) / (total - 1 - rise)
    return low + (high - low) * (1 + math.cos(math.pi * share)) / 2


def test_one_cycle_raises_and_lowers_the_rate() -> None:
    training = tiny_training({"accumulate_grad_batches": 2}, max_epochs=10, one_cycle=True, learning_rate=0.01)
    history = fit(tiny_settings("line_cnn", "ce"), training, ["A"] * 12).history
    # Three batches make two steps an epoch. After each step stands the rate of the next.
    expected = [one_cycle(2 * epoch, 20, 0.01) for epoch in range(1, 10)]
    assert history["learning_rate"].tolist()[:-1] == pytest.approx(expected)


def test_warm_up_sets_the_step_of_the_highest_rate() -> None:
    training = tiny_training(max_epochs=8, one_cycle=True, warm_up=0.5, learning_rate=0.01)
    rates = fit(tiny_settings("line_cnn"), training).history["learning_rate"]
    assert rates.idxmax() == 2  # one step an epoch, after which the next step's rate is logged
    assert rates.max() == pytest.approx(0.01)


@pytest.mark.parametrize("loss", ["ctc", "ce"])
def test_intermediate_losses_are_weighted(loss: str) -> None:
    settings = tiny_settings("line_cnn_lstm", loss, intermediate=True, limit_output_length=loss == "ce")
    recognizer, lines = settings.build(), tiny_lines(["AB", "CCA", "A"])
    batch = LineDataset(lines).__getitems__([0, 1, 2])
    module = LitRecognizer(recognizer, tiny_training(intermediate_weight=0.25), 0.001).eval()  # without dropout
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
def test_label_smoothing_applies_to_each_loss(loss: str) -> None:
    settings = tiny_settings("line_cnn_lstm", loss, intermediate=True, limit_output_length=loss == "ce")
    recognizer, batch = settings.build(), LineDataset(tiny_lines(["AB", "CCA", "A"])).__getitems__([0, 1, 2])
    training = tiny_training(intermediate_weight=0.25, label_smoothing=0.1)
    module = LitRecognizer(recognizer, training, 0.001).eval()
    logged: dict[str, float] = {}
    module.log = lambda name, value, **_: logged.update({name: float(torch.as_tensor(value).detach())})  # type: ignore[method-assign, assignment]
    total = module.training_step(batch, 0).detach()
    (inner, own), lengths = recognizer.logits_by_depth(batch.images, batch.widths)
    objective = recognizer.objective
    losses = [float(objective.loss(logits.detach(), lengths, batch.texts)) for logits in (inner, own)]
    uniform = [float(objective.uniform_loss(logits.detach(), lengths)) for logits in (inner, own)]
    smoothed = [0.9 * one + 0.1 * other for one, other in zip(losses, uniform, strict=True)]
    assert float(total) == pytest.approx(0.25 * smoothed[0] + 0.75 * smoothed[1])
    assert logged["train_loss"] == pytest.approx(losses[1])
    assert float(module.validation_step(batch, 0).detach()) == pytest.approx(losses[1])


@pytest.mark.parametrize(("gpu", "accumulated", "graphed"), [(True, 1, True), (True, 2, False), (False, 1, False)])
def test_graphs_are_used_on_a_gpu_without_gradient_accumulation(
    gpu: bool, accumulated: int, graphed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lit_module, "uses_gpu", lambda accelerator: gpu)
    recognizer = tiny_settings("line_cnn").build()
    training = tiny_training({"accumulate_grad_batches": accumulated})
    module = LitRecognizer(recognizer, training, training.learning_rate)
    assert isinstance(module.recognizer, GraphedRecognizer) == graphed
    assert module.recognizer.model is recognizer.model
    assert module.recognizer.objective is recognizer.objective
