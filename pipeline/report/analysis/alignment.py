"""How a prediction differs from its text: which characters are kept, substituted, inserted and deleted."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

VISIBLE_SPACE = "␣"


class Segment(NamedTuple):
    """A piece of a line: characters that are predicted correctly, or one edit of one character."""

    kind: Literal["same", "substituted", "inserted", "deleted"]
    text: str
    """Part of the true text; empty for an insertion."""
    prediction: str
    """Part of the prediction; empty for a deletion."""


def align(text: str, prediction: str) -> list[Segment]:
    """The segments of a line, in order, with as few edits as possible. There may be other shortest alignments."""
    segments = []
    for block in Levenshtein.opcodes(text, prediction):
        true, predicted = text[block.src_start : block.src_end], prediction[block.dest_start : block.dest_end]
        if block.tag == "equal":
            segments.append(Segment("same", true, predicted))
        elif block.tag == "replace":
            segments += [Segment("substituted", a, b) for a, b in zip(true, predicted, strict=True)]
        elif block.tag == "insert":
            segments += [Segment("inserted", "", b) for b in predicted]
        else:
            segments += [Segment("deleted", a, "") for a in true]
    return segments


def describe_edits(segments: Iterable[Segment]) -> str:
    """The edits in words, for readers who cannot see the marks."""
    phrases = []
    for kind, true, predicted in segments:
        if kind == "substituted":
            phrases.append(f"{show_spaces(true)} read as {show_spaces(predicted)}")
        elif kind == "inserted":
            phrases.append(f"{show_spaces(predicted)} inserted")
        elif kind == "deleted":
            phrases.append(f"{show_spaces(true)} missing")
    return "; ".join(phrases) or "no edits"


def show_spaces(text: str) -> str:
    """Replace each space by `VISIBLE_SPACE`."""
    return text.replace(" ", VISIBLE_SPACE)


@dataclass(frozen=True)
class EditCounts:
    """The number of edits of each kind; `case_only` are substitutions such as O for o."""

    substituted: int
    inserted: int
    deleted: int
    case_only: int

    @property
    def total(self) -> int:
        """All edits."""
        return self.substituted + self.inserted + self.deleted


def count_edits(alignments: Iterable[Sequence[Segment]]) -> EditCounts:
    """Count the edits of all lines."""
    kinds: Counter[str] = Counter()
    for segments in alignments:
        for kind, true, predicted in segments:
            kinds[kind] += 1
            kinds["case_only"] += kind == "substituted" and true.casefold() == predicted.casefold()
    return EditCounts(kinds["substituted"], kinds["inserted"], kinds["deleted"], kinds["case_only"])


class Position(NamedTuple):
    """The position of a character in the test lines."""

    line: int
    character: int


def find_confusions(alignments: Sequence[Sequence[Segment]]) -> dict[tuple[str, str], list[Position]]:
    """Where each pair (true character, predicted character) was confused, the most frequent pair first."""
    confusions: dict[tuple[str, str], list[Position]] = {}
    for line, segments in enumerate(alignments):
        character = 0
        for kind, true, predicted in segments:
            if kind == "substituted":
                confusions.setdefault((true, predicted), []).append(Position(line, character))
            character += len(true)
    return dict(sorted(confusions.items(), key=lambda item: (-len(item[1]), item[0])))


def count_edits_at(texts: Sequence[str], predictions: Sequence[str], length: int) -> NDArray[np.float64]:
    """(N, `length`) how many edits stand at each character of the texts.

    An insertion stands at the character before it; at the beginning of a line, at the first one.
    """
    counts = np.zeros((len(texts), length))
    for row, text, prediction in zip(counts, texts, predictions, strict=True):
        for edit in Levenshtein.editops(text, prediction):
            row[max(edit.src_pos - 1, 0) if edit.tag == "insert" else edit.src_pos] += 1
    return counts


def misread_mask(alignments: Sequence[Sequence[Segment]], length: int) -> NDArray[np.bool_]:
    """(N, `length`) bool: which characters of each text are substituted or deleted."""
    mask = np.zeros((len(alignments), length), dtype=np.bool_)
    for row, segments in zip(mask, alignments, strict=True):
        character = 0
        for kind, true, _ in segments:
            if kind in ("substituted", "deleted"):
                row[character] = True
            character += len(true)
    return mask
