from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.common.geometry import Windows
from pipeline.common.vocabulary import BLANK, EMNIST, END, PADDING
from pipeline.inference.line_predictions import BATCH_COLUMNS, LinePrediction, LinePredictor, greedy_decoder
from pipeline.models.base import LineModel
from pipeline.models.recognizer import Recognizer
from pipeline.objectives.registry import build_objective
from tests.tiny import FP32, MODELS, read_alone, tiny_lines, tiny_settings

A, B, SPACE = map(EMNIST.tokens.index, "ab ")


class Fixed(LineModel):
    """Answers with the same probabilities, whatever it sees; a step every 4 pixels."""

    windows, height = Windows(4, 4), 28

    def __init__(self, steps: Sequence[tuple[int, float]]) -> None:
        super().__init__()
        self.answer = torch.empty(len(EMNIST.tokens), len(steps))
        for step, (index, probability) in enumerate(steps):
            self.answer[:, step] = (1 - probability) / (len(EMNIST.tokens) - 1)
            self.answer[index, step] = probability

    def forward(self, images: Tensor, lengths: Sequence[int]) -> Tensor:
        return self.answer[None, :, : max(lengths)].log().expand(len(images), -1, -1)


def predict(loss: str, steps: Sequence[tuple[int, float]], width: int) -> LinePrediction:
    recognizer = Recognizer(Fixed(steps), build_objective(loss, EMNIST, len(steps), wrap=False))
    return predict_blank(recognizer, width)


def predict_blank(recognizer: Recognizer, width: int) -> LinePrediction:
    predictor = LinePredictor(recognizer, greedy_decoder(recognizer), FP32)
    (prediction,) = predictor.predict([np.zeros((28, width), np.uint8)])
    return prediction


def test_repeated_steps_are_one_character_with_the_confidence_of_the_surest() -> None:
    steps = [(A, 0.6), (A, 0.9), (A, 0.7), (BLANK, 0.5), (A, 0.8), (SPACE, 0.99), (END, 0.9), (B, 0.5), (B, 0.9)]
    found = predict("ctc", steps, width=4 * 8)  # the last step is beyond the line
    assert found.text == "aa b"
    assert found.steps == [1, 4, 5, 7]
    assert found.confidences == pytest.approx([0.9, 0.8, 0.99, 0.5])
    assert found.confidence == pytest.approx((0.9 + 0.8 + 0.99 + 0.5) / 4)
    assert list(found.words()) == [("aa", pytest.approx(0.9 * 0.8), 1, 4), ("b", pytest.approx(0.5), 7, 7)]


def test_every_step_is_a_character_under_cross_entropy() -> None:
    found = predict("ce", [(A, 0.6), (A, 0.9), (B, 0.7), (PADDING, 0.9)], width=4)
    assert (found.text, found.steps) == ("aab", [0, 1, 2])
    assert found.confidences == pytest.approx([0.6, 0.9, 0.7])


def test_a_line_without_characters_has_no_confidence() -> None:
    found = predict("ctc", [(BLANK, 0.9)], width=4)
    assert (found.text, found.confidence, list(found.words())) == ("", None, [])


def test_a_text_is_not_cut_to_the_length_of_the_texts_in_training() -> None:
    recognizer = Recognizer(Fixed([(A, 0.9), (B, 0.9), (A, 0.9)]), build_objective("ctc", EMNIST, 2, wrap=False))
    assert predict_blank(recognizer, 12).text == "aba"


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("loss", ["ce", "ctc"])
def test_lines_are_read_in_batches_as_if_each_were_alone_and_in_order(
    name: str, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    recognizer = tiny_settings(name, loss, max_length=40).build()
    with torch.no_grad():  # fresh weights predict the same for most lines; larger ones do not
        for parameter in recognizer.model.parameters():
            parameter.mul_(2)
    recognizer.model.eval()
    lines = tiny_lines(["ABCDEF", "G", "Hi", "abc", "12 34", "z", "QRST"], max_length=10, overlap=0.3)
    images = [np.asarray(image[:, :width]) for image, width in zip(lines.images, lines.widths.tolist(), strict=True)]
    monkeypatch.setattr("pipeline.inference.line_predictions.BATCH_COLUMNS", 300)
    sizes = []
    greedy = greedy_decoder(recognizer)

    def count(batch: Tensor, widths: Sequence[int]) -> list[LinePrediction]:
        sizes.append(tuple(batch.shape))
        return greedy(batch, widths)

    found = LinePredictor(recognizer, count, FP32).predict(images)
    assert [line.text for line in found] == read_alone(recognizer, images)
    assert len({line.text for line in found}) > 3
    assert all(count * width <= 300 for count, _, width in sizes)
    assert max(count for count, *_ in sizes) > 1


def test_a_line_wider_than_a_batch_is_read_alone() -> None:
    recognizer = tiny_settings("line_cnn").build()
    images = [np.zeros((28, width), np.uint8) for width in (BATCH_COLUMNS + 5, 9)]
    predictor = LinePredictor(recognizer, greedy_decoder(recognizer), FP32)
    assert len(predictor.predict(images)) == 2
    assert predictor.predict([]) == []
