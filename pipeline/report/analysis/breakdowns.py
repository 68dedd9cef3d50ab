"""Error rates by what a line is like: its length, its overlaps, its characters."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.common.geometry import CELL
from pipeline.common.vocabulary import CHARACTERS, EMNIST_CHARACTERS, encode_padded
from pipeline.data.storage.lines import Lines
from pipeline.report.analysis.alignment import Segment, misread

LENGTH_BINS = 8


@dataclass(frozen=True)
class Bin:
    """A rate among the lines or characters that have something in common; None where there are none."""

    label: str
    position: float
    """Where it stands on the axis of a chart."""
    count: int
    """Lines by length, else characters."""
    rate: float | None


@dataclass(frozen=True)
class CharacterErrors:
    """How one character was read."""

    character: str
    count: int
    misread: int
    read_as: list[tuple[str, int]]
    """The most frequent confusions; "" stands for a character that is missing."""


def by_length(texts: Sequence[str], edits: NDArray[np.int64]) -> list[Bin]:
    """CER by the length of the text, in bins equally wide."""
    lengths = np.array([len(text) for text in texts])
    width = -(-int(lengths.max()) // LENGTH_BINS)
    bins = []
    for first in range(1, int(lengths.max()) + 1, width):
        last = first + width - 1
        chosen = (lengths >= first) & (lengths <= last)
        characters = int(lengths[chosen].sum())
        rate = float(edits[chosen].sum() / characters) if characters else None
        label = str(first) if width == 1 else f"{first}–{last}"
        bins.append(Bin(label, (first + last) / 2, int(chosen.sum()), rate))
    return bins


def by_overlap(lines: Lines, alignments: Sequence[Sequence[Segment]]) -> list[Bin]:
    """Share of drawn characters misread, by the most pixels of their cell that one drawn neighbour's cell covers."""
    overlaps, drawn = neighbour_overlaps(lines)
    wrong = misread(alignments, drawn.shape[1])[drawn]
    counts = np.bincount(overlaps[drawn], minlength=1)
    errors = np.bincount(overlaps[drawn], weights=wrong, minlength=1)
    return [
        Bin(str(pixels), pixels, int(count), float(errors[pixels] / count))
        for pixels, count in enumerate(counts)
        if count
    ]


def neighbour_overlaps(lines: Lines) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Pixels (N, T) of each character's cell that a neighbour covers, and which characters have ink at all.

    A neighbour without ink, such as a space, covers nothing.
    """
    codes = encode_padded(lines.texts, lines.starts.shape[1])
    first = int(encode_padded([EMNIST_CHARACTERS[0]], 1)[0, 0])
    drawn = (codes >= first) & (codes < first + len(EMNIST_CHARACTERS))
    covered = CELL - np.diff(lines.starts.astype(np.int64), axis=1)
    covered = np.where(drawn[:, 1:] & drawn[:, :-1], covered, 0).clip(0, CELL)
    overlaps = np.zeros(drawn.shape, dtype=np.int64)
    overlaps[:, 1:] = covered
    overlaps[:, :-1] = np.maximum(overlaps[:, :-1], covered)
    return overlaps, drawn


def by_character(alignments: Sequence[Sequence[Segment]], most: int = 3) -> list[CharacterErrors]:
    """Every character of the texts, the one with the most errors first, with its `most` frequent confusions."""
    counts: Counter[str] = Counter()
    read_as: dict[str, Counter[str]] = {character: Counter() for character in CHARACTERS}
    for kind, said, read in _each(alignments):
        counts.update(said)
        if kind in ("substituted", "deleted"):
            read_as[said][read] += 1
    errors = [
        CharacterErrors(character, count, read_as[character].total(), read_as[character].most_common(most))
        for character, count in counts.items()
    ]
    return sorted(errors, key=lambda one: (-one.misread, one.character))


def _each(alignments: Sequence[Sequence[Segment]]) -> Iterator[Segment]:
    for segments in alignments:
        yield from segments
