"""Example lines with their predictions and edits: the worst ones and random ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.common.geometry import CELL
from pipeline.data.storage.lines import Lines
from pipeline.report.analysis.alignment import Position, Segment, describe_edits, find_confusions
from pipeline.report.analysis.results import Result
from pipeline.report.figures.images import Picture, encode_ink

SHOWN = 8
SEED = 0
PAIRS, EXAMPLES = 12, 3
MARGIN = 14
"""Pixels of the neighbours that are shown beside a cut-out character."""
AROUND = 2
"""Line heights that are shown on each side of the probable place of a character."""
FADING = 4
"""Factor by which the neighbours are paler."""


@dataclass(frozen=True)
class Prediction:
    """One experiment's prediction for a line."""

    key: str
    segments: list[Segment]
    edits: int
    description: str


@dataclass(frozen=True)
class ShownLine:
    """One test line with one or more predictions."""

    text: str
    picture: Picture
    predictions: list[Prediction]
    page: str = ""
    """Where a transcribed line comes from."""


@dataclass(frozen=True)
class Gallery:
    """Lines under the name of an experiment or data set."""

    name: str
    lines: list[ShownLine]


@dataclass(frozen=True)
class Confusion:
    """A character that is read as another: how often, and pictures of some occurrences."""

    true: str
    predicted: str
    count: int
    pictures: list[Picture]


def worst_lines(result: Result, lines: Lines) -> Gallery:
    """The lines with the most edits; among lines with equally many, the shortest first."""
    edits = [_edits(segments) for segments in result.alignments]
    worst = sorted(range(len(lines)), key=lambda i: (-edits[i], len(lines.texts[i]), i))[:SHOWN]
    return Gallery(result.key, [_shown(lines, index, [result]) for index in worst])


def random_lines(name: str, results: Sequence[Result], lines: Lines) -> Gallery:
    """Random lines of a data set, each with the predictions of all experiments on it."""
    results_here = [result for result in results if result.experiment.lines == name]
    count = min(SHOWN, len(lines))
    drawn = np.sort(np.random.default_rng(SEED).choice(len(lines), count, replace=False))
    return Gallery(name, [_shown(lines, int(index), results_here) for index in drawn])


def frequent_confusions(result: Result, lines: Lines) -> list[Confusion]:
    """The most frequently confused pairs."""
    pairs = list(find_confusions(result.alignments).items())[:PAIRS]
    return [
        Confusion(true, predicted, len(found), [_cut_out(lines, at, true, predicted) for at in found[:EXAMPLES]])
        for (true, predicted), found in pairs
    ]


def line_picture(lines: Lines, index: int) -> Picture:
    """The whole line."""
    return encode_ink(lines.images[index, :, : lines.widths[index]], f"handwriting: {lines.texts[index]}")


def _shown(lines: Lines, index: int, results: Sequence[Result]) -> ShownLine:
    aligned = [(result.key, result.alignments[index]) for result in results]
    predictions = [Prediction(key, segments, _edits(segments), describe_edits(segments)) for key, segments in aligned]
    page = lines.pages[index] if lines.pages else ""
    return ShownLine(lines.texts[index], line_picture(lines, index), predictions, page)


def _edits(segments: Sequence[Segment]) -> int:
    return sum(segment.kind != "same" for segment in segments)


def _guess_columns(lines: Lines, position: Position) -> slice:
    """Columns that probably show a character of a transcribed line, whose cells are not known."""
    line, character = position
    width, reach = int(lines.widths[line]), AROUND * lines.images.shape[1]
    middle = round(width * (character + 0.5) / len(lines.texts[line]))
    return slice(max(0, middle - reach), min(width, middle + reach))


def _cut_out(lines: Lines, position: Position, true: str, predicted: str) -> Picture:
    line, character = position
    description = f"{true} in “{lines.texts[line]}”, read as {predicted}"
    if not lines.are_synthetic:
        return encode_ink(lines.images[line, :, _guess_columns(lines, position)], description)
    start = int(lines.starts[line, character])
    cell = slice(start, start + CELL)
    image = lines.images[line] // FADING
    image[:, cell] = lines.images[line, :, cell]
    cut = image[:, max(0, start - MARGIN) : start + CELL + MARGIN]
    return encode_ink(cut, description)
