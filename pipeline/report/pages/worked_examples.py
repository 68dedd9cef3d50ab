"""Two small worked examples, computed by the real code: the edit distance, and greedy CTC decoding."""

from dataclasses import dataclass
from itertools import groupby

import torch
from rapidfuzz.distance import Levenshtein

from pipeline.common.vocabulary import BLANK, EMNIST
from pipeline.decoding.greedy import collapse
from pipeline.report.analysis.alignment import Segment, align, describe_edits
from pipeline.report.figures.ctc_steps import BLANK_SYMBOL

TEXT, PREDICTION = "sitting", "kitten"
PATHS = ("··hh·e·ll·ll·oo·", "··hh·e·llllll·oo·")


@dataclass(frozen=True)
class EditTable:
    """`distances[i][j]` is the distance between the first i characters of the text and j of the prediction."""

    text: str
    prediction: str
    distances: list[list[int]]
    path: set[tuple[int, int]]
    """The cells (i, j) of one shortest path."""
    segments: list[Segment]
    description: str

    @property
    def edits(self) -> int:
        """The edit distance: the last cell."""
        return self.distances[-1][-1]

    @property
    def rate(self) -> float:
        """The character error rate of this line alone."""
        return self.edits / len(self.text)


def edit_table(text: str = TEXT, prediction: str = PREDICTION) -> EditTable:
    """The whole dynamic-programming table, with a shortest path."""
    distances = [
        [Levenshtein.distance(text[:i], prediction[:j]) for j in range(len(prediction) + 1)]
        for i in range(len(text) + 1)
    ]
    segments = align(text, prediction)
    i = j = 0
    path = {(i, j)}
    for kind, true, predicted in segments:
        for _ in range(max(len(true), len(predicted))):
            i, j = i + (kind != "inserted"), j + (kind != "deleted")
            path.add((i, j))
    return EditTable(text, prediction, distances, path, segments, describe_edits(segments))


@dataclass(frozen=True)
class Collapse:
    """A CTC path, its runs, and the decoded text."""

    path: str
    runs: list[tuple[str, int]]
    """The symbol and length of each run of equal steps."""
    text: str


def collapse_example(path: str) -> Collapse:
    """Decode a path, written with `BLANK_SYMBOL` for the blank."""
    classes = [BLANK if symbol == BLANK_SYMBOL else int(EMNIST.encode(symbol)[0]) for symbol in path]
    (row,) = collapse(torch.tensor([classes]), len(classes)).tolist()
    runs = [(symbol, len(list(group))) for symbol, group in groupby(path)]
    return Collapse(path, runs, EMNIST.decode(row))
