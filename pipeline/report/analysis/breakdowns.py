"""Error rates by properties of a line: its length, the overlap of its characters, and its characters."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from pipeline.common.geometry import CELL
from pipeline.common.vocabulary import EMNIST_CHARACTERS
from pipeline.data.storage.lines import Lines
from pipeline.report.analysis.alignment import Segment, misread_mask

LENGTH_BINS = 8


@dataclass(frozen=True)
class Bin:
    """A group of similar lines or characters and its error rate, which is None for an empty group."""

    label: str
    position: float
    """On the x axis of a chart."""
    count: int
    """Number of lines, or of characters."""
    rate: float | None


@dataclass(frozen=True)
class CharacterErrors:
    """The errors of one character."""

    character: str
    count: int
    misread: int
    read_as: list[tuple[str, int]]
    """The most frequent wrong predictions and their counts; "" stands for a missing character."""


def cer_by_length(texts: Sequence[str], edits: NDArray[np.int64]) -> list[Bin]:
    """CER by the length of the text, in bins of equal width."""
    lengths = np.array([len(text) for text in texts])
    width = -(-int(lengths.max()) // LENGTH_BINS)
    bins = []
    for first in range(1, int(lengths.max()) + 1, width):
        last = first + width - 1
        members = (lengths >= first) & (lengths <= last)
        characters = int(lengths[members].sum())
        rate = float(edits[members].sum() / characters) if characters else None
        label = str(first) if width == 1 else f"{first}–{last}"
        bins.append(Bin(label, (first + last) / 2, int(members.sum()), rate))
    return bins


def misread_by_overlap(lines: Lines, alignments: Sequence[Sequence[Segment]]) -> list[Bin]:
    """Fraction of drawn characters that are misread, by the pixels that a neighbour overlaps (the larger overlap)."""
    overlaps, drawn = neighbour_overlaps(lines)
    misread = misread_mask(alignments, drawn.shape[1])[drawn]
    counts = np.bincount(overlaps[drawn], minlength=1)
    errors = np.bincount(overlaps[drawn], weights=misread, minlength=1)
    return [
        Bin(str(pixels), pixels, int(count), float(errors[pixels] / count))
        for pixels, count in enumerate(counts)
        if count
    ]


def neighbour_overlaps(lines: Lines) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Pixels (N, T) by which a drawn neighbour overlaps each character's cell, and which characters are drawn.

    Spaces and punctuation are not drawn and overlap nothing.
    """
    drawn = np.zeros(lines.starts.shape, dtype=bool)
    for row, text in zip(drawn, lines.texts, strict=True):
        row[: len(text)] = [character in EMNIST_CHARACTERS for character in text]
    overlap = CELL - np.diff(lines.starts.astype(np.int64), axis=1)
    overlap = np.where(drawn[:, 1:] & drawn[:, :-1], overlap, 0).clip(0, CELL)
    overlaps = np.zeros(drawn.shape, dtype=np.int64)
    overlaps[:, 1:] = overlap
    overlaps[:, :-1] = np.maximum(overlaps[:, :-1], overlap)
    return overlaps, drawn


def errors_by_character(alignments: Sequence[Sequence[Segment]], shown: int = 3) -> list[CharacterErrors]:
    """The errors of each character in the texts, most errors first, each with its `shown` most frequent confusions."""
    counts: Counter[str] = Counter()
    read_as: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for kind, true, predicted in chain.from_iterable(alignments):
        counts.update(true)
        if kind in ("substituted", "deleted"):
            read_as[true][predicted] += 1
    errors = [
        CharacterErrors(character, count, read_as[character].total(), read_as[character].most_common(shown))
        for character, count in counts.items()
    ]
    return sorted(errors, key=lambda found: (-found.misread, found.character))
