"""From the image of a line to everything that is shown of its reading. Knows nothing of servers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.common.geometry import Windows
from pipeline.common.vocabulary import FIRST
from pipeline.decoding.beam_search import beam_search
from pipeline.decoding.hypotheses import SearchSettings
from pipeline.decoding.language_model.cache import LanguageModelCache
from pipeline.inference.beam_predictions import TunedSearch, beam_decoder
from pipeline.inference.line_predictions import LinePrediction, LinePredictor, greedy_decoder
from pipeline.models.recognizer import Recognizer
from pipeline.objectives.ctc import CTC
from pipeline.report.figures.ctc_steps import class_symbol, group_runs
from pipeline.report.figures.images import encode_ink
from pipeline.runtime.hardware import ComputeConfig

LIKELIEST = 5
PLAIN_SEARCH = SearchSettings(width=32, candidates=12)
UNTUNED = TunedSearch(SearchSettings(32, 12, lm_weight=0.7, length_bonus=0.5, prior_weight=0.35), 0.0, 1.0)
"""For a model without a tuned beam search: the middle of what `params.yaml` tries for the best models."""


@dataclass(frozen=True)
class Character:
    """A character of a reading."""

    character: str
    confidence: float
    """0 to 1."""
    left: float
    right: float
    """Where in the line image it was read, in pixels: the part of the line that its step answers for."""


@dataclass(frozen=True)
class Reading:
    """The text of a line."""

    text: str
    confidence: float | None
    """The mean over the characters; null without text."""
    characters: list[Character]


@dataclass(frozen=True)
class Candidate:
    """One of the likeliest texts."""

    text: str
    share: float
    """0 to 1: its part of the probability that the model gives to all texts that the search found."""


@dataclass(frozen=True)
class Step:
    """The best class of a step, and the center of its window in pixels of the line image."""

    symbol: str
    center: float


@dataclass(frozen=True)
class Run:
    """Steps in a row with the same best class that is not the blank: one character."""

    symbol: str
    first: float
    last: float
    """The centers of the first and the last step."""


@dataclass(frozen=True)
class Details:
    """How a reading came about."""

    image: str
    """The line image as the model sees it: the data URI of a PNG, dark on white."""
    width: int
    height: int
    language_model: Reading | None
    """The reading of the beam search with the language model, for CTC models whose characters it knows."""
    likeliest: list[Candidate]
    """Without the language model, the likeliest first."""
    steps: list[Step]
    """Only for CTC models, like `runs`."""
    runs: list[Run]


class LineReader:
    """Reads lines with a recognizer, and with a beam search and language model if they are given and it is CTC."""

    def __init__(
        self,
        recognizer: Recognizer,
        compute: ComputeConfig,
        tuned: TunedSearch = UNTUNED,
        lm: LanguageModelCache | None = None,
    ) -> None:
        self.recognizer = recognizer
        self.is_ctc = isinstance(recognizer.objective, CTC)
        self._greedy = LinePredictor(recognizer, greedy_decoder(recognizer), compute)
        self._with_lm = None
        if self.is_ctc and lm is not None:
            self._with_lm = LinePredictor(recognizer, beam_decoder(recognizer, tuned, lm), compute)

    @property
    def height(self) -> int:
        """H of the images, in pixels."""
        return self.recognizer.model.height

    def read(self, images: Sequence[NDArray[np.uint8]]) -> list[Reading]:
        """The greedy readings of line images (H, W) of any widths, 0 for background and 255 for full ink."""
        return [self._reading(prediction) for prediction in self._greedy.predict(images)]

    def explain(self, image: NDArray[np.uint8]) -> Details:
        """Everything else that is known of a line image (H, W)."""
        log_probabilities = self._log_probabilities(image)
        steps, runs = self._steps(log_probabilities) if self.is_ctc else ([], [])
        picture = encode_ink(image, "")
        with_lm = self._reading(self._with_lm.predict([image])[0]) if self._with_lm else None
        return Details(
            picture.uri, picture.width, picture.height, with_lm, self._likeliest(log_probabilities), steps, runs
        )

    def _steps(self, log_probabilities: Tensor) -> tuple[list[Step], list[Run]]:
        windows, vocabulary = self.recognizer.model.windows, self.recognizer.objective.vocabulary
        path = log_probabilities.argmax(0).tolist()
        centers = [step * windows.stride + windows.width / 2 for step in range(len(path))]
        steps = [Step(class_symbol(best, vocabulary), center) for best, center in zip(path, centers, strict=True)]
        runs = [run for run in group_runs(path, centers, vocabulary) if not run.blank]
        return steps, [Run(run.symbol, run.first, run.last) for run in runs]

    @torch.inference_mode()
    def _log_probabilities(self, image: NDArray[np.uint8]) -> Tensor:
        """(C, S) of one line."""
        batch = torch.from_numpy(image[None].copy()).to(self._greedy.compute.device)
        with self._greedy.compute.autocast():
            logits, lengths = self.recognizer.logits(batch, [image.shape[1]])
        return logits[0, :, : lengths[0]].float().log_softmax(0).cpu()

    def _likeliest(self, log_probabilities: Tensor) -> list[Candidate]:
        vocabulary = self.recognizer.objective.vocabulary
        if not self.is_ctc:
            return likeliest_spellings(log_probabilities, vocabulary.tokens)
        found = beam_search(log_probabilities[None], [log_probabilities.shape[1]], PLAIN_SEARCH, None)
        scores = [score for score in found.ctc[0].tolist() if score > -math.inf]
        return rank({found.text(0, number, vocabulary): score for number, score in enumerate(scores)})

    def _reading(self, prediction: LinePrediction) -> Reading:
        windows = self.recognizer.model.windows
        characters = [
            Character(character, confidence, *step_span(step, windows))
            for character, confidence, step in zip(
                prediction.text, prediction.confidences, prediction.steps, strict=True
            )
        ]
        return Reading(prediction.text, prediction.confidence, characters)


def step_span(step: int, windows: Windows) -> tuple[float, float]:
    """The left and right edge of what a step answers for: a stride around the center of its window, in pixels."""
    center = step * windows.stride + windows.width / 2
    return center - windows.stride / 2, center + windows.stride / 2


def likeliest_spellings(log_probabilities: Tensor, tokens: Sequence[str]) -> list[Candidate]:
    """The likeliest texts of steps (C, S) that are independent of each other, as under cross-entropy.

    Special tokens write nothing. The probabilities of equal texts are added.
    """
    best: dict[str, float] = {"": 0.0}
    for step in log_probabilities.T.double():
        values, classes = step.topk(min(LIKELIEST, len(tokens)))
        extended: dict[str, float] = {}
        for text, score in best.items():
            for value, index in zip(values.tolist(), classes.tolist(), strict=True):
                spelled = text + tokens[index] if index >= FIRST else text
                extended[spelled] = float(np.logaddexp(extended.get(spelled, -np.inf), score + value))
        best = dict(sorted(extended.items(), key=lambda item: -item[1])[: PLAIN_SEARCH.width])
    return rank(best)


def rank(scores: Mapping[str, float]) -> list[Candidate]:
    """The texts with the highest log-probabilities."""
    total = float(np.logaddexp.reduce(list(scores.values())))
    ranked = sorted(scores.items(), key=lambda item: -item[1])[:LIKELIEST]
    return [Candidate(text, math.exp(score - total)) for text, score in ranked]
