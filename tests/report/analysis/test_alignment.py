import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from pipeline.report.analysis.alignment import (
    Place,
    Segment,
    align,
    confusions,
    count_edits,
    in_words,
    misread,
    visible,
)

LINES = st.text(alphabet="abBo O.", max_size=12)


@given(LINES, LINES)
def test_an_alignment_tells_both_and_has_the_fewest_edits(text: str, reading: str) -> None:
    segments = align(text, reading)
    assert "".join(segment.text for segment in segments) == text
    assert "".join(segment.reading for segment in segments) == reading
    assert count_edits([segments]).total == Levenshtein.distance(text, reading)
    for kind, said, read in segments:
        if kind == "same":
            assert said == read != ""
        else:
            lengths = {"substituted": (1, 1), "inserted": (0, 1), "deleted": (1, 0)}
            assert (len(said), len(read)) == lengths[kind]
            assert said != read


@given(LINES, LINES)
def test_misread_are_the_characters_that_did_not_stay(text: str, reading: str) -> None:
    segments = align(text, reading)
    counts = count_edits([segments])
    flags = misread([segments], len(text) + 2)[0]
    assert flags.sum() == counts.substituted + counts.deleted
    assert not flags[len(text) :].any()
    kept = "".join(segment.text for segment in segments if segment.kind == "same")
    assert "".join(np.array(list(text))[~flags[: len(text)]]) == kept


@given(st.lists(st.tuples(LINES, LINES), max_size=5))
def test_confusions_are_the_substitutions_at_their_places(pairs: list[tuple[str, str]]) -> None:
    found = confusions([align(text, reading) for text, reading in pairs])
    counts = count_edits([align(text, reading) for text, reading in pairs])
    assert sum(map(len, found.values())) == counts.substituted
    assert all(pairs[line][0][position] == said for (said, _), places in found.items() for line, position in places)
    folded = [len(places) for (said, read), places in found.items() if said.lower() == read.lower()]
    assert sum(folded) == counts.case_only


def test_edits_by_hand() -> None:
    assert align("sitting", "kitten") == [
        Segment("substituted", "s", "k"),
        Segment("same", "itt", "itt"),
        Segment("substituted", "i", "e"),
        Segment("same", "n", "n"),
        Segment("deleted", "g", ""),
    ]
    counts = count_edits([align("Oo", "oo"), align("a", "ab"), align("ab", ""), align("x", "x")])
    assert (counts.substituted, counts.inserted, counts.deleted, counts.case_only) == (1, 1, 2, 1)


@pytest.mark.parametrize(
    ("text", "reading", "words"),
    [
        ("same", "same", "no edits"),
        ("", "", "no edits"),
        ("a b", "ab", "␣ missing"),
        ("on", "0n.", "o read as 0; . inserted"),
    ],
)
def test_edits_are_told_in_words(text: str, reading: str, words: str) -> None:
    assert in_words(align(text, reading)) == words


def test_the_most_frequent_confusion_comes_first() -> None:
    found = confusions([align("l1", "I7"), align("lo", "I0"), align("x", "x")])
    assert list(found.items()) == [
        (("l", "I"), [Place(0, 0), Place(1, 0)]),
        (("1", "7"), [Place(0, 1)]),
        (("o", "0"), [Place(1, 1)]),
    ]


def test_spaces_can_be_seen() -> None:
    assert visible("a b ") == "a␣b␣"
    assert visible(string.punctuation) == string.punctuation
