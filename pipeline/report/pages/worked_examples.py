"""Two small examples, worked by the code that measures and reads: the edit distance, and CTC's greedy decoding."""

from dataclasses import dataclass
from itertools import groupby

import torch
from rapidfuzz.distance import Levenshtein

from pipeline.common import vocabulary
from pipeline.common.vocabulary import BLANK
from pipeline.decoding.greedy import collapse
from pipeline.report.analysis.alignment import Segment, align, in_words
from pipeline.report.figures.ctc_steps import BLANK_SIGN

TEXT, READING = "sitting", "kitten"
PATHS = ("··hh·e·ll·ll·oo·", "··hh·e·llllll·oo·")


@dataclass(frozen=True)
class EditTable:
    """`distances[i][j]` are the edits between the first i characters of the text and the first j of the reading."""

    text: str
    reading: str
    distances: list[list[int]]
    path: set[tuple[int, int]]
    """The cells (i, j) of one way with the fewest edits."""
    segments: list[Segment]
    in_words: str

    @property
    def edits(self) -> int:
        """The edit distance: the last cell."""
        return self.distances[-1][-1]

    @property
    def rate(self) -> float:
        """The character error rate of this line alone."""
        return self.edits / len(self.text)


def edit_table(text: str = TEXT, reading: str = READING) -> EditTable:
    """The whole table of the dynamic program, with a shortest path."""
    distances = [
        [Levenshtein.distance(text[:i], reading[:j]) for j in range(len(reading) + 1)] for i in range(len(text) + 1)
    ]
    segments = align(text, reading)
    i = j = 0
    path = {(i, j)}
    for kind, said, read in segments:
        for _ in range(max(len(said), len(read))):
            i, j = i + (kind != "inserted"), j + (kind != "deleted")
            path.add((i, j))
    return EditTable(text, reading, distances, path, segments, in_words(segments))


@dataclass(frozen=True)
class Collapse:
    """A path of CTC, its runs, and the text that the decoder makes of it."""

    path: str
    runs: list[tuple[str, int]]
    """The sign of each run of equal steps, and how many there are."""
    text: str


def collapse_example(path: str) -> Collapse:
    """Decode a path in which `BLANK_SIGN` stands for the blank."""
    classes = [BLANK if sign == BLANK_SIGN else int(vocabulary.encode(sign)[0]) for sign in path]
    (row,) = collapse(torch.tensor([classes]), len(classes)).tolist()
    runs = [(sign, len(list(group))) for sign, group in groupby(path)]
    return Collapse(path, runs, vocabulary.decode(row))
