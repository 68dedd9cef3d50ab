"""How a reading came from its text: what was kept, confused, invented and left out."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

SPACE = "␣"
"""How a space is shown where it would not be seen."""


class Segment(NamedTuple):
    """A piece of a line: characters that were read as they are, or one edit, which is of one character."""

    kind: Literal["same", "substituted", "inserted", "deleted"]
    text: str
    """What the line says; empty where a character was inserted."""
    reading: str
    """What was read; empty where a character was deleted."""


def align(text: str, reading: str) -> list[Segment]:
    """The pieces of both in order, with as few edits as can be; where several ways are as short, one of them."""
    segments = []
    for block in Levenshtein.opcodes(text, reading):
        said, read = text[block.src_start : block.src_end], reading[block.dest_start : block.dest_end]
        if block.tag == "equal":
            segments.append(Segment("same", said, read))
        elif block.tag == "replace":
            segments += [Segment("substituted", a, b) for a, b in zip(said, read, strict=True)]
        elif block.tag == "insert":
            segments += [Segment("inserted", "", b) for b in read]
        else:
            segments += [Segment("deleted", a, "") for a in said]
    return segments


def in_words(segments: Iterable[Segment]) -> str:
    """The edits as a sentence for who cannot see their marks."""
    phrases = []
    for kind, said, read in segments:
        if kind == "substituted":
            phrases.append(f"{visible(said)} read as {visible(read)}")
        elif kind == "inserted":
            phrases.append(f"{visible(read)} inserted")
        elif kind == "deleted":
            phrases.append(f"{visible(said)} missing")
    return "; ".join(phrases) or "no edits"


def visible(text: str) -> str:
    """`text` with spaces that can be seen."""
    return text.replace(" ", SPACE)


@dataclass(frozen=True)
class EditCounts:
    """The edits of all lines by kind; `case_only` are substitutions such as O for o."""

    substituted: int
    inserted: int
    deleted: int
    case_only: int

    @property
    def total(self) -> int:
        """All edits."""
        return self.substituted + self.inserted + self.deleted


def count_edits(alignments: Iterable[Sequence[Segment]]) -> EditCounts:
    """The edits of all lines."""
    kinds: Counter[str] = Counter()
    for segments in alignments:
        for kind, said, read in segments:
            kinds[kind] += 1
            kinds["case_only"] += kind == "substituted" and said.casefold() == read.casefold()
    return EditCounts(kinds["substituted"], kinds["inserted"], kinds["deleted"], kinds["case_only"])


class Place(NamedTuple):
    """A character of a test line."""

    line: int
    position: int


def confusions(alignments: Sequence[Sequence[Segment]]) -> dict[tuple[str, str], list[Place]]:
    """Where each (character, what it was read as) occurs, the most frequent pair first."""
    found: dict[tuple[str, str], list[Place]] = {}
    for line, segments in enumerate(alignments):
        position = 0
        for kind, said, read in segments:
            if kind == "substituted":
                found.setdefault((said, read), []).append(Place(line, position))
            position += len(said)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def misread(alignments: Sequence[Sequence[Segment]], length: int) -> NDArray[np.bool_]:
    """(N, `length`): which characters of each text were substituted or deleted."""
    flags = np.zeros((len(alignments), length), dtype=np.bool_)
    for row, segments in zip(flags, alignments, strict=True):
        position = 0
        for kind, said, _ in segments:
            if kind in ("substituted", "deleted"):
                row[position] = True
            position += len(said)
    return flags
