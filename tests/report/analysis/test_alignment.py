import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from pipeline.metrics.error_rates import edit_distances
from pipeline.report.analysis.alignment import (
    Position,
    Segment,
    align,
    count_edits,
    count_edits_at,
    describe_edits,
    find_confusions,
    misread_mask,
    show_spaces,
)

LINES = st.text(alphabet="abBo O.", max_size=12)


@given(LINES, LINES)
def test_an_alignment_contains_both_texts_and_has_the_fewest_edits(text: str, prediction: str) -> None:
    segments = align(text, prediction)
    assert "".join(segment.text for segment in segments) == text
    assert "".join(segment.prediction for segment in segments) == prediction
    assert count_edits([segments]).total == Levenshtein.distance(text, prediction)
    for kind, true, read in segments:
        if kind == "same":
            assert true == read != ""
        else:
            lengths = {"substituted": (1, 1), "inserted": (0, 1), "deleted": (1, 0)}
            assert (len(true), len(read)) == lengths[kind]
            assert true != read


@given(LINES, LINES)
def test_misread_characters_are_those_not_kept(text: str, prediction: str) -> None:
    segments = align(text, prediction)
    counts = count_edits([segments])
    flags = misread_mask([segments], len(text) + 2)[0]
    assert flags.sum() == counts.substituted + counts.deleted
    assert not flags[len(text) :].any()
    kept = "".join(segment.text for segment in segments if segment.kind == "same")
    assert "".join(np.array(list(text))[~flags[: len(text)]]) == kept


@given(st.lists(st.tuples(LINES, LINES), max_size=5))
def test_confusions_are_the_substitutions_with_their_positions(pairs: list[tuple[str, str]]) -> None:
    found = find_confusions([align(text, prediction) for text, prediction in pairs])
    counts = count_edits([align(text, prediction) for text, prediction in pairs])
    assert sum(map(len, found.values())) == counts.substituted
    assert all(pairs[line][0][position] == true for (true, _), places in found.items() for line, position in places)
    folded = [len(places) for (true, read), places in found.items() if true.lower() == read.lower()]
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
    ("text", "prediction", "words"),
    [
        ("same", "same", "no edits"),
        ("", "", "no edits"),
        ("a b", "ab", "␣ missing"),
        ("on", "0n.", "o read as 0; . inserted"),
    ],
)
def test_edits_are_described_in_words(text: str, prediction: str, words: str) -> None:
    assert describe_edits(align(text, prediction)) == words


def test_the_most_frequent_confusion_comes_first() -> None:
    found = find_confusions([align("l1", "I7"), align("lo", "I0"), align("x", "x")])
    assert list(found.items()) == [
        (("l", "I"), [Position(0, 0), Position(1, 0)]),
        (("1", "7"), [Position(0, 1)]),
        (("o", "0"), [Position(1, 1)]),
    ]


def test_spaces_are_made_visible() -> None:
    assert show_spaces("a b ") == "a␣b␣"
    assert show_spaces(string.punctuation) == string.punctuation


def test_every_edit_stands_at_a_character() -> None:
    # A substitution and a deletion at their own character, an insertion at the one before it or at the first.
    texts = ["abcd", "abcd", "abcd", "ab", "a", "ab"]
    predictions = ["aXcd", "abd", "abXXcd", "Xab", "", "ab"]
    counts = count_edits_at(texts, predictions, 5)
    rows = ["01000", "00100", "02000", "10000", "10000", "00000"]
    assert counts.tolist() == [list(map(int, row)) for row in rows]


@given(st.text("abc", min_size=1, max_size=9), st.text("abc", max_size=9))
def test_all_edits_stand_at_characters_of_the_text(text: str, prediction: str) -> None:
    counts = count_edits_at([text], [prediction], 12)
    assert counts[0, : len(text)].sum() == counts.sum() == edit_distances([prediction], [text])[0]
