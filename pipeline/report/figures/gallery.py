"""Lines to look at: the worst readings and some at random, with their edits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.common.geometry import CELL
from pipeline.data.storage.lines import Lines
from pipeline.report.analysis.alignment import Place, Segment, confusions, in_words
from pipeline.report.analysis.results import Result
from pipeline.report.figures.images import Picture, ink_picture

SHOWN = 8
SEED = 0
PAIRS, EXAMPLES = 12, 3
MARGIN = 14
"""Pixels of the neighbours that stay beside a character that is cut out."""
NEIGHBOURS = 4
"""How much paler they are."""


@dataclass(frozen=True)
class Reading:
    """What one experiment made of a line."""

    key: str
    segments: list[Segment]
    edits: int
    in_words: str


@dataclass(frozen=True)
class ShownLine:
    """One test line with one reading or several."""

    text: str
    picture: Picture
    readings: list[Reading]


@dataclass(frozen=True)
class Gallery:
    """Lines under the name of an experiment or of a data set."""

    name: str
    lines: list[ShownLine]


@dataclass(frozen=True)
class Confusion:
    """A character that was read as another, how often, and some of the places cut out."""

    said: str
    read: str
    count: int
    pictures: list[Picture]


def worst_lines(result: Result, lines: Lines) -> Gallery:
    """The lines with the most edits; among those with as many, the shortest first."""
    edits = [_edits(segments) for segments in result.alignments]
    worst = sorted(range(len(lines)), key=lambda i: (-edits[i], len(lines.texts[i]), i))[:SHOWN]
    return Gallery(result.key, [_shown(lines, index, [result]) for index in worst])


def random_lines(name: str, results: Sequence[Result], lines: Lines) -> Gallery:
    """Lines of a data set drawn at random, each with the readings of all experiments on it."""
    among = [result for result in results if result.experiment.lines == name]
    count = min(SHOWN, len(lines))
    drawn = np.sort(np.random.default_rng(SEED).choice(len(lines), count, replace=False))
    return Gallery(name, [_shown(lines, int(index), among) for index in drawn])


def frequent_confusions(result: Result, lines: Lines) -> list[Confusion]:
    """The pairs that were confused most often."""
    pairs = list(confusions(result.alignments).items())[:PAIRS]
    return [
        Confusion(said, read, len(places), [_cut_out(lines, place, said, read) for place in places[:EXAMPLES]])
        for (said, read), places in pairs
    ]


def line_picture(lines: Lines, index: int) -> Picture:
    """The whole line."""
    return ink_picture(lines.images[index, :, : lines.widths[index]], f"handwriting: {lines.texts[index]}")


def _shown(lines: Lines, index: int, results: Sequence[Result]) -> ShownLine:
    aligned = [(result.key, result.alignments[index]) for result in results]
    readings = [Reading(key, segments, _edits(segments), in_words(segments)) for key, segments in aligned]
    return ShownLine(lines.texts[index], line_picture(lines, index), readings)


def _edits(segments: Sequence[Segment]) -> int:
    return sum(segment.kind != "same" for segment in segments)


def _cut_out(lines: Lines, place: Place, said: str, read: str) -> Picture:
    line, position = place
    start = int(lines.starts[line, position])
    cell = slice(start, start + CELL)
    image = lines.images[line] // NEIGHBOURS
    image[:, cell] = lines.images[line, :, cell]
    cut = image[:, max(0, start - MARGIN) : start + CELL + MARGIN]
    return ink_picture(cut, f"{said} in “{lines.texts[line]}”, read as {read}")
