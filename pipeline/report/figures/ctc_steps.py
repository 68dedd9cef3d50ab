"""How CTC models read one line: the best class of each step, and how the steps become text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.common import paths
from pipeline.common.vocabulary import BLANK, Vocabulary
from pipeline.data.storage.lines import Lines
from pipeline.models.checkpoint import load_checkpoint
from pipeline.models.recognizer import Recognizer
from pipeline.report.analysis.alignment import show_spaces
from pipeline.report.analysis.results import Result
from pipeline.report.figures.gallery import line_picture
from pipeline.report.figures.images import Picture

BLANK_SYMBOL = "·"
PREFERRED_LENGTH = 10
"""Preferred length: fits on a page and is long enough for a double letter."""


@dataclass(frozen=True)
class Run:
    """Consecutive steps with the same best class."""

    symbol: str
    first: float
    last: float
    """Center of the first and last window, in pixels of the line."""
    count: int

    @property
    def blank(self) -> bool:
        """Whether these steps write no character."""
        return self.symbol == BLANK_SYMBOL

    @property
    def center(self) -> float:
        """The center of the run, in pixels."""
        return (self.first + self.last) / 2


@dataclass(frozen=True)
class Steps:
    """How one experiment reads a line."""

    key: str
    text: str
    prediction: str
    picture: Picture
    window: int
    stride: int
    symbols: list[tuple[float, str]]
    """Center of each step's window in pixels of the line, and its best class."""
    runs: list[Run]


def trace_ctc_experiments(results: Sequence[Result], data: Mapping[str, Lines]) -> list[Steps]:
    """The steps of each CTC experiment on one test line; the first seed's model, in fp32 on the CPU."""
    steps = []
    for result in results:
        if result.experiment.loss == "ctc":
            lines = data[result.experiment.lines]
            _, recognizer = load_checkpoint(paths.checkpoint(result.key, result.seeds[0]))
            steps.append(trace_line(result.key, recognizer, lines))
    return steps


def trace_line(key: str, recognizer: Recognizer, lines: Lines) -> Steps:
    """The steps of a recognizer on the line that `choose_line` selects."""
    index = choose_line(lines.texts)
    image = lines.images[index, :, : lines.widths[index]]
    path, prediction = read_steps(recognizer, image)
    windows, vocabulary = recognizer.model.windows, recognizer.objective.vocabulary
    centers = [step * windows.stride + windows.width / 2 for step in range(len(path))]
    return Steps(
        key,
        lines.texts[index],
        prediction,
        line_picture(lines, index),
        windows.width,
        windows.stride,
        [(center, class_symbol(best, vocabulary)) for center, best in zip(centers, path, strict=True)],
        group_runs(path, centers, vocabulary),
    )


def choose_line(texts: Sequence[str]) -> int:
    """The index of a line of about `PREFERRED_LENGTH`, if possible with a double letter, which needs a blank."""
    return min(
        range(len(texts)), key=lambda i: (abs(len(texts[i]) - PREFERRED_LENGTH), not _has_double_letter(texts[i]), i)
    )


@torch.inference_mode()
def read_steps(recognizer: Recognizer, image: NDArray[np.uint8]) -> tuple[list[int], str]:
    """The best class of each step on a line image (28, W), and the predicted text."""
    logits, lengths = recognizer.logits(torch.from_numpy(image[None].copy()), [image.shape[1]])
    (prediction,) = recognizer.objective.texts(recognizer.objective.decode(logits, lengths))
    return logits.argmax(1)[0, : lengths[0]].tolist(), prediction


def group_runs(path: Sequence[int], centers: Sequence[float], vocabulary: Vocabulary) -> list[Run]:
    """Group consecutive equal classes."""
    runs = []
    for best, group in groupby(zip(path, centers, strict=True), key=lambda step: step[0]):
        found = [center for _, center in group]
        runs.append(Run(class_symbol(best, vocabulary), found[0], found[-1], len(found)))
    return runs


def class_symbol(best: int, vocabulary: Vocabulary) -> str:
    """The symbol that shows a class."""
    return BLANK_SYMBOL if best == BLANK else show_spaces(vocabulary.tokens[best])


def _has_double_letter(text: str) -> bool:
    return any(a == b for a, b in pairwise(text))
