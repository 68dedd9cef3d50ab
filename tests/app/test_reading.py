"""From the image of a line to what is shown of its reading."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pipeline.app.reading import LineReader, likeliest_spellings, rank, step_span
from pipeline.common.geometry import Windows
from pipeline.common.vocabulary import BLANK, EMNIST, FIRST
from pipeline.decoding.language_model.cache import LanguageModelCache
from pipeline.decoding.language_model.model import LanguageModel
from pipeline.decoding.language_model.ngrams import Symbols, count_ngrams
from pipeline.models.recognizer import Recognizer
from tests.tiny import FP32, read_alone, tiny_lines, tiny_settings

TEXTS = ["ab", "hello", "a", "no 12", "Zebra"]


def make_recognizer(loss: str = "ctc", model: str = "line_cnn") -> Recognizer:
    torch.manual_seed(0)
    recognizer = tiny_settings(model, loss).build()
    recognizer.model.eval()
    return recognizer


def images() -> list[NDArray[np.uint8]]:
    lines = tiny_lines(TEXTS)
    return [lines.images[index, :, :width] for index, width in enumerate(lines.widths)]


def language_model() -> LanguageModelCache:
    symbols = Symbols(EMNIST)
    return LanguageModelCache(LanguageModel(count_ngrams("hello no 12 Zebra", 3, symbols), "witten_bell", symbols))


@pytest.mark.parametrize(
    ("model", "loss"), [("line_cnn", "ctc"), ("line_resnet_lstm", "ctc"), ("line_cnn_simple", "ce")]
)
def test_the_text_is_that_of_predict_for_lines_of_several_widths(model: str, loss: str) -> None:
    recognizer = make_recognizer(loss, model)
    readings = LineReader(recognizer, FP32).read(images())
    assert [reading.text for reading in readings] == read_alone(recognizer, images())
    assert all(reading.text == "".join(one.character for one in reading.characters) for reading in readings)


class Scripted(torch.nn.Module):
    """A model that answers with given log-probabilities (C, S), whatever the picture is."""

    windows = Windows(width=8, stride=4)
    height = 28

    def __init__(self, log_probabilities: torch.Tensor) -> None:
        super().__init__()
        self.answer = log_probabilities

    def forward(self, images: torch.Tensor, lengths: object = None) -> torch.Tensor:
        return self.answer.expand(len(images), -1, -1)

    def logits_by_depth(self, images: torch.Tensor, lengths: object = None) -> list[torch.Tensor]:
        return [self(images)]


def scripted_reader(steps: list[dict[str, float]], lm: LanguageModelCache | None = None) -> LineReader:
    """A CTC reader whose steps give these probabilities to characters, and the rest to the blank."""
    probabilities = torch.full((EMNIST.num_classes, len(steps)), 1e-9)
    for number, step in enumerate(steps):
        for character, probability in step.items():
            probabilities[int(EMNIST.encode(character)[0]), number] = probability
        probabilities[BLANK, number] = 1 - sum(step.values())
    objective = make_recognizer().objective
    return LineReader(Recognizer(Scripted(probabilities.log()), objective), FP32, lm=lm)  # type: ignore[arg-type]


STEPS = [{"a": 0.9}, {"a": 0.6}, {}, {"b": 0.7, "d": 0.3}]
LINE = np.zeros((28, 16), np.uint8)


def test_a_character_has_its_highest_probability_and_the_place_of_that_step() -> None:
    (reading,) = scripted_reader(STEPS).read([LINE])
    assert reading.text == "ab"
    found = [(one.confidence, one.left, one.right) for one in reading.characters]
    assert found == [(pytest.approx(0.9), 2, 6), (pytest.approx(0.7), 14, 18)]
    assert reading.confidence == pytest.approx(0.8)


def test_the_steps_are_those_of_the_report() -> None:
    details = scripted_reader(STEPS).explain(LINE)
    assert [(step.symbol, step.center) for step in details.steps] == [("a", 4), ("a", 8), ("·", 12), ("b", 16)]
    assert [(run.symbol, run.first, run.last) for run in details.runs] == [("a", 4, 8), ("b", 16, 16)]
    assert (details.width, details.height) == (16, 28)
    assert details.image.startswith("data:image/png;base64,")


def test_the_likeliest_readings_have_their_exact_probabilities() -> None:
    first, second, third, *_ = scripted_reader(STEPS).explain(LINE).likeliest
    # By hand: 'a' is missing with 0.1 * 0.4; of 'b' and 'd' one is always there.
    assert (first.text, second.text, third.text) == ("ab", "ad", "b")
    assert [first.share, second.share, third.share] == pytest.approx([0.96 * 0.7, 0.96 * 0.3, 0.04 * 0.7], abs=1e-6)


def test_the_language_model_chooses_between_equal_characters() -> None:
    steps = [{"n": 0.9}, {}, {"o": 0.5, "0": 0.5}]
    details = scripted_reader(steps, language_model()).explain(LINE)
    assert details.language_model is not None
    assert details.language_model.text == "no"
    assert [one.left for one in details.language_model.characters] == [2, 10]


def test_a_blank_line_has_no_text_and_no_confidence() -> None:
    reader = scripted_reader([{}, {}])
    (reading,) = reader.read([np.zeros((28, 8), np.uint8)])
    assert (reading.text, reading.confidence, reading.characters) == ("", None, [])
    assert reader.explain(np.zeros((28, 8), np.uint8)).likeliest[0].text == ""


def test_cross_entropy_has_readings_and_no_steps() -> None:
    recognizer = make_recognizer("ce", "line_cnn_simple")
    details = LineReader(recognizer, FP32, lm=language_model()).explain(images()[1])
    assert details.steps == details.runs == []
    assert details.language_model is None
    assert details.likeliest[0].text == read_alone(recognizer, images()[1:2])[0]


def test_spellings_agree_with_all_combinations() -> None:
    generator = torch.Generator().manual_seed(3)
    tokens = ("<B>", "<S>", "<E>", "<P>", "a", "b")
    steps = torch.rand((len(tokens), 3), generator=generator).log_softmax(0)
    expected: dict[str, float] = {}
    for classes in product(range(len(tokens)), repeat=3):
        text = "".join(tokens[index] for index in classes if index >= FIRST)
        expected[text] = expected.get(text, 0) + math.exp(sum(float(steps[c, s]) for s, c in enumerate(classes)))
    best = sorted(expected, key=lambda text: -expected[text])[:2]
    assert [one.text for one in likeliest_spellings(steps, tokens)][:2] == best


def test_ranks_are_shares_of_the_sum() -> None:
    ranked = rank({"b": math.log(0.01), "a": math.log(0.03)})
    assert [(one.text, one.share) for one in ranked] == [("a", pytest.approx(0.75)), ("b", pytest.approx(0.25))]


def test_a_step_answers_for_a_stride_around_the_center_of_its_window() -> None:
    assert step_span(2, Windows(width=28, stride=18)) == (41, 59)
