"""Predict the texts of line images, with a confidence and a place for each character."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.common.geometry import round_up
from pipeline.common.vocabulary import FIRST
from pipeline.decoding.greedy import best_path
from pipeline.models.checkpoint import load_checkpoint
from pipeline.models.recognizer import Recognizer
from pipeline.objectives.ctc import CTC
from pipeline.runtime.hardware import ComputeConfig, choose_compute_config, prepare_cpu

WIDTH_STEP = 32
"""Batches have widths that this divides: oneDNN compiles kernels for each width, which takes as long as reading."""
BATCH_COLUMNS = 8_192
"""Pixel columns of a batch, with the background that pads its lines. A wider line is a batch of its own."""


@dataclass(frozen=True)
class LinePrediction:
    """The predicted text of a line image, and for each character its confidence and the step that emits it."""

    text: str
    confidences: Sequence[float]
    """0 to 1: the probability of the character."""
    steps: Sequence[int]

    @property
    def confidence(self) -> float | None:
        """The mean over the characters: the fraction of them that is expected to be correct. None without text."""
        return fmean(self.confidences) if self.text else None

    def words(self) -> Iterator[tuple[str, float, int, int]]:
        """Each word with the probability that all of its characters are correct, and its first and last step."""
        for match in re.finditer(r"\S+", self.text):
            start, end = match.span()
            yield match[0], math.prod(self.confidences[start:end]), self.steps[start], self.steps[end - 1]


Decoder = Callable[[Tensor, Sequence[int]], list[LinePrediction]]
"""Predicts lines from images (B, H, W) uint8 on the model's device and their B widths."""


def greedy_decoder(recognizer: Recognizer) -> Decoder:
    """Take the best class of each step. A text may be longer than those that the model was trained with.

    The confidence of a character is its softmax probability, the highest one where several steps in a row emit it.
    """
    merge = isinstance(recognizer.objective, CTC)
    characters = recognizer.objective.vocabulary.characters

    def decode(images: Tensor, widths: Sequence[int]) -> list[LinePrediction]:
        logits, lengths = recognizer.logits(images, widths)
        path = best_path(logits, lengths)
        emits = path >= FIRST
        chosen = logits.transpose(1, 2)[emits].float()  # (M, C): the softmax of 18,000 classes is slow
        probabilities = torch.zeros(path.shape, device=chosen.device)
        probabilities[emits] = (chosen.amax(1) - chosen.logsumexp(1)).exp()
        rows = zip(path.tolist(), probabilities.tolist(), strict=True)
        return [_spell(classes, values, characters, merge) for classes, values in rows]

    return decode


def _spell(classes: Sequence[int], probabilities: Sequence[float], characters: str, merge: bool) -> LinePrediction:
    """The characters of a path (S,). With `merge`, equal classes in a row are one character."""
    text, confidences, steps = [], list[float](), list[int]()
    previous = None
    for step, (index, probability) in enumerate(zip(classes, probabilities, strict=True)):
        if index < FIRST:
            pass
        elif not merge or index != previous:
            text.append(characters[index - FIRST])
            confidences.append(probability)
            steps.append(step)
        elif probability > confidences[-1]:
            confidences[-1], steps[-1] = probability, step
        previous = index
    return LinePrediction("".join(text), confidences, steps)


@dataclass(frozen=True)
class LinePredictor:
    """A recognizer on a device, and how its answers are decoded."""

    recognizer: Recognizer
    decoder: Decoder
    compute: ComputeConfig

    def __post_init__(self) -> None:
        self.recognizer.model.eval().to(self.compute.device)

    @torch.inference_mode()
    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[LinePrediction]:
        """The predictions for line images, each (H, W), in their order. Lines of similar width are one batch."""
        predictions: dict[int, LinePrediction] = {}
        with self.compute.autocast():
            for indices in _batches([_columns(image) for image in images]):
                batch, widths = _stack([images[index] for index in indices])
                decoded = self.decoder(batch.to(self.compute.device), widths)
                predictions |= zip(indices, decoded, strict=True)
        return [predictions[index] for index in range(len(images))]


def _batches(widths: Sequence[int]) -> Iterator[list[int]]:
    batch: list[int] = []
    for index in sorted(range(len(widths)), key=widths.__getitem__):
        if batch and (len(batch) + 1) * widths[index] > BATCH_COLUMNS:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _columns(image: NDArray[np.uint8]) -> int:
    """The width (pixels) of a batch in which this is the widest line."""
    return round_up(image.shape[1], WIDTH_STEP)


def _stack(images: Sequence[NDArray[np.uint8]]) -> tuple[Tensor, list[int]]:
    """The images (B, H, W) with background on their right, and their widths."""
    widths = [image.shape[1] for image in images]
    batch = np.zeros((len(images), images[0].shape[0], max(map(_columns, images))), dtype=np.uint8)
    for row, image, width in zip(batch, images, widths, strict=True):
        row[:, :width] = image
    return torch.from_numpy(batch), widths


def load_predictor(checkpoint: Path) -> LinePredictor:
    """The model of a checkpoint with greedy decoding, on the device and in the precision that are fastest here.

    Raises:
        InputError: there is no such file, or it is no checkpoint.
    """
    prepare_cpu()
    recognizer = load_checkpoint(checkpoint)[1]
    return LinePredictor(recognizer, greedy_decoder(recognizer), choose_compute_config("auto", "auto"))
