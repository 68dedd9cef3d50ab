"""One line as CTC models read it: the best class of each step, and how the steps become text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.common import paths, vocabulary
from pipeline.common.vocabulary import BLANK, TOKENS
from pipeline.data.storage.lines import Lines
from pipeline.models.checkpoint import load_checkpoint
from pipeline.models.recognizer import Recognizer
from pipeline.report.analysis.alignment import visible
from pipeline.report.analysis.results import Result
from pipeline.report.figures.gallery import line_picture
from pipeline.report.figures.images import Picture

BLANK_SIGN = "·"
BEST_LENGTH = 10
"""Characters that fit beside each other on a page and still have repeats."""


@dataclass(frozen=True)
class Run:
    """Steps in a row with the same best class; a blank run writes nothing."""

    sign: str
    first: float
    last: float
    """Middle of the first and of the last window in pixels of the line."""
    count: int

    @property
    def blank(self) -> bool:
        """Whether it writes nothing."""
        return self.sign == BLANK_SIGN

    @property
    def middle(self) -> float:
        """Where its character stands."""
        return (self.first + self.last) / 2


@dataclass(frozen=True)
class Steps:
    """One experiment's way through a line."""

    key: str
    text: str
    reading: str
    picture: Picture
    window: int
    stride: int
    signs: list[tuple[float, str]]
    """Middle of each step's window in pixels of the line, and its best class."""
    runs: list[Run]


def ctc_steps(results: Sequence[Result], data: Mapping[str, Lines]) -> list[Steps]:
    """Every CTC experiment on one test line of its data set, read by its first seed's model in fp32 on the CPU."""
    steps = []
    for result in results:
        if result.experiment.loss == "ctc":
            lines = data[result.experiment.lines]
            _, recognizer = load_checkpoint(paths.checkpoint(result.key, result.seeds[0]))
            steps.append(take_steps(result.key, recognizer, lines))
    return steps


def take_steps(key: str, recognizer: Recognizer, lines: Lines) -> Steps:
    """A recognizer's way through the line that `choose_line` takes."""
    index = choose_line(lines.texts)
    image = lines.images[index, :, : lines.widths[index]]
    path, reading = best_path(recognizer, image)
    windows = recognizer.model.windows
    middles = [step * windows.stride + windows.width / 2 for step in range(len(path))]
    return Steps(
        key,
        lines.texts[index],
        reading,
        line_picture(lines, index),
        windows.width,
        windows.stride,
        [(middle, sign_of(best)) for middle, best in zip(middles, path, strict=True)],
        runs_of(path, middles),
    )


def choose_line(texts: Sequence[str]) -> int:
    """The line nearest to `BEST_LENGTH`; among those one with a letter twice in a row, which takes a blank."""
    return min(range(len(texts)), key=lambda i: (abs(len(texts[i]) - BEST_LENGTH), not _doubled(texts[i]), i))


@torch.inference_mode()
def best_path(recognizer: Recognizer, image: NDArray[np.uint8]) -> tuple[list[int], str]:
    """The best class of each step on a line's image (28, W), and the text that the recognizer makes of them."""
    logits, lengths = recognizer.logits(torch.from_numpy(image[None].copy()), [image.shape[1]])
    (row,) = recognizer.objective.decode(logits, lengths).tolist()
    return logits.argmax(1)[0, : lengths[0]].tolist(), vocabulary.decode(row)


def runs_of(path: Sequence[int], middles: Sequence[float]) -> list[Run]:
    """The runs of equal classes in a path."""
    runs = []
    for best, group in groupby(zip(path, middles, strict=True), key=lambda step: step[0]):
        places = [middle for _, middle in group]
        runs.append(Run(sign_of(best), places[0], places[-1], len(places)))
    return runs


def sign_of(best: int) -> str:
    """How a class is shown."""
    return BLANK_SIGN if best == BLANK else visible(TOKENS[best])


def _doubled(text: str) -> bool:
    return any(a == b for a, b in pairwise(text))
