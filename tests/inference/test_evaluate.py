from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from pipeline.common.vocabulary import EMNIST
from pipeline.data.storage.lines import Lines
from pipeline.inference.evaluate import evaluate, mean_metrics
from pipeline.objectives.cross_entropy import CrossEntropy
from pipeline.runtime.hardware import ComputeConfig
from tests.tiny import FP32, tiny_lines

PREDICTIONS = {"ABC": "ABC", "A": "AB", "AB CD": "AB D", "XY": ""}
"""What the fake recognizer predicts, by the text of the line."""


class FakeRecognizer:
    """Predicts what `PREDICTIONS` says; it recognizes a line by its width."""

    def __init__(self, lines: Lines) -> None:
        self.model = nn.Linear(3, 4)
        self.objective = CrossEntropy(EMNIST, 8)
        self.predictions = {
            int(width): PREDICTIONS[text] for width, text in zip(lines.widths, lines.texts, strict=True)
        }

    def predict(self, images: Tensor, widths: list[int]) -> tuple[list[str], Tensor]:
        assert images.shape == (len(widths), 28, max(widths))
        texts = [self.predictions[width] for width in widths]
        return texts, self.objective.encode(texts)


@pytest.fixture
def lines() -> Lines:
    return tiny_lines(list(PREDICTIONS))


@pytest.mark.parametrize("batch_size", [1, 3, 4])
def test_metrics_by_hand(lines: Lines, batch_size: int) -> None:
    result = evaluate(FakeRecognizer(lines), lines, batch_size=batch_size, compute=FP32)  # type: ignore[arg-type]
    assert result.lines_per_second > 0
    # Edits 0, 1, 1 and 2; words wrong 0, 1, 1 and 1. Of 8 positions hit: 8; 1 + 6; "AB D" for "AB CD" 3 + 3
    # (position 3 says D for C, 4 says padding for D); 0 + 6.
    assert result.metrics == {
        "test_cer": pytest.approx((0 + 1 + 1 + 2) / (3 + 1 + 5 + 2)),
        "test_cer_lab": pytest.approx((0 / 3 + 1 / 2 + 1 / 5 + 2 / 2) / 4),
        "test_wer": pytest.approx((0 + 1 + 1 + 1) / (1 + 1 + 2 + 1)),
        "test_exact": pytest.approx(1 / 4),
        "test_accuracy": pytest.approx((8 + 7 + 6 + 6) / 32),
        "test_accuracy_text": pytest.approx((3 + 1 + 3 + 0) / 11),
        "lines": 4,
        "parameters": 16,
    }


def test_transcribed_lines_have_more_rates_and_say_where_they_are_from(lines: Lines) -> None:
    transcribed = replace(lines, groups=["x", "x", "y", "y"], pages=["1", "2", "3", "3"])
    result = evaluate(FakeRecognizer(lines), transcribed, batch_size=4, compute=FP32)  # type: ignore[arg-type]
    assert result.metrics["test_cer_plain"] == pytest.approx((0 + 1 + 1 + 2) / 11)
    assert result.metrics["test_cer_median_group"] == pytest.approx((1 / 4 + 3 / 7) / 2)
    assert result.predictions["group"].tolist() == transcribed.groups
    assert result.predictions["page"].tolist() == transcribed.pages


def test_characters_that_training_lacks_count_as_errors() -> None:
    texts = ["ABC", "AÉB", "éàü"]
    known = tiny_lines(["ABC", "XY", "A"])
    lines = replace(known, texts=texts, groups=["x", "x", "y"])
    recognizer = FakeRecognizer(known)
    recognizer.predictions = dict(zip(known.widths.tolist(), ["ABC", "AEB", ""], strict=True))
    result = evaluate(recognizer, lines, batch_size=4, compute=FP32)  # type: ignore[arg-type]
    assert result.metrics["test_cer"] == pytest.approx((0 + 1 + 3) / 9)
    assert result.metrics["test_cer_no_accents"] == pytest.approx((0 + 0 + 3) / 9)
    assert result.metrics["test_wer"] == pytest.approx(2 / 3)
    assert result.metrics["test_exact"] == pytest.approx(1 / 3)
    assert result.metrics["test_accuracy_text"] == pytest.approx((3 + 2 + 0) / 9)


def test_metrics_of_seeds_are_averaged_by_hand() -> None:
    by_seed = {
        7: {"test_cer": 0.1, "test_wer": 0.5},
        3: {"test_cer": 0.3, "test_wer": 1.0},
        5: {"test_cer": 0.2, "test_wer": 0.0},
    }
    whole = mean_metrics({seed: {**rates, "lines": 4, "parameters": 16} for seed, rates in by_seed.items()})
    assert whole == {
        "test_cer": pytest.approx(0.2),
        "test_wer": pytest.approx(0.5),
        "lines": 4,
        "parameters": 16,
        "test_cer_std": pytest.approx(0.1),  # of 3 values, divided by 2
        "seeds": 3,
        "by_seed": by_seed,
    }


def test_metrics_of_one_seed_are_its_own() -> None:
    metrics = {"test_cer": 0.1 + 0.2, "lines": 4}
    assert mean_metrics({7: metrics}) == metrics


def test_predictions_are_in_the_order_of_the_data(lines: Lines) -> None:
    table = evaluate(FakeRecognizer(lines), lines, batch_size=3, compute=ComputeConfig("cpu", bf16=True))  # type: ignore[arg-type]
    assert table.predictions.to_dict("list") == {
        "line": [0, 1, 2, 3],
        "text": ["ABC", "A", "AB CD", "XY"],
        "prediction": ["ABC", "AB", "AB D", ""],
        "edits": [0, 1, 1, 2],
        "width": [84, 28, 140, 56],
        "positions": [8, 8, 8, 8],
        "hits": [8, 7, 6, 6],
        "text_positions": [3, 1, 5, 2],
        "text_hits": [3, 1, 3, 0],
    }


def test_the_model_is_switched_to_evaluation_mode(lines: Lines) -> None:
    recognizer = FakeRecognizer(lines)
    assert recognizer.model.training
    evaluate(recognizer, lines, batch_size=2, compute=FP32)  # type: ignore[arg-type]
    assert not recognizer.model.training
    assert torch.equal(recognizer.objective.encode(["AB"])[0, 2:], torch.full((6,), 3))
