import numpy as np
import pytest

from pipeline.data.storage.lines import Lines
from pipeline.report.analysis.alignment import align
from pipeline.report.analysis.breakdowns import (
    cer_by_length,
    errors_by_character,
    misread_by_overlap,
    neighbour_overlaps,
)
from tests.tiny import tiny_lines


def lines_at(texts: list[str], starts: list[list[int]]) -> Lines:
    images, widths = np.zeros((len(texts), 28, 1), np.uint8), np.zeros(len(texts), np.uint16)
    return Lines(images, texts, widths, np.uint16(starts), np.zeros(np.shape(starts), np.int32))


def test_bins_of_length_are_equally_wide_and_contain_every_line() -> None:
    texts = ["a", "ab", "abc", "a" * 16, "a" * 15]
    bins = cer_by_length(texts, np.array([1, 0, 1, 4, 4]))
    assert [one.label for one in bins] == ["1–2", "3–4", "5–6", "7–8", "9–10", "11–12", "13–14", "15–16"]
    assert [one.count for one in bins] == [2, 1, 0, 0, 0, 0, 0, 2]
    rates = [one.rate for one in bins]
    assert rates == [pytest.approx(1 / 3), pytest.approx(1 / 3), None, None, None, None, None, pytest.approx(8 / 31)]
    assert [one.position for one in bins][:2] == [1.5, 3.5]


def test_lines_of_one_character_make_one_bin() -> None:
    (one,) = cer_by_length(["a", "b"], np.array([3, 0]))
    assert (one.label, one.count, one.rate) == ("1", 2, 1.5)


def test_only_drawn_neighbours_overlap() -> None:
    # a and b overlap by 5 pixels, b and c by 8; the space and the full stop have no ink.
    lines = lines_at(["abc d.", "x"], [[0, 23, 43, 64, 90, 110], [0] * 6])
    overlaps, drawn = neighbour_overlaps(lines)
    assert drawn.astype(int).tolist() == [[1, 1, 1, 0, 1, 0], [1, 0, 0, 0, 0, 0]]
    assert overlaps[drawn].tolist() == [5, 8, 8, 0, 0]


def test_errors_are_counted_by_overlap() -> None:
    lines = lines_at(["abc d.", "x"], [[0, 23, 43, 64, 90, 110], [0] * 6])
    bins = misread_by_overlap(lines, [align("abc d.", "abO d,"), align("x", "")])
    assert [(one.label, one.count, one.rate) for one in bins] == [("0", 2, 0.5), ("5", 1, 0.0), ("8", 2, 0.5)]


def test_the_lines_of_the_pipeline_overlap_as_set() -> None:
    assert neighbour_overlaps(tiny_lines(["abcd", "e f"]))[0].max() == 0
    overlaps, _ = neighbour_overlaps(tiny_lines(["abcdefgh"] * 50, overlap=0.33))
    assert overlaps.min() >= 0
    assert overlaps.max() == int(28 * 0.33)


def test_characters_are_sorted_by_their_errors() -> None:
    pairs = [("oo1", "0O1"), ("o", "0"), ("o ", ""), ("ab", "abc")]
    found = errors_by_character([align(text, prediction) for text, prediction in pairs])
    assert [(one.character, one.count, one.misread) for one in found] == [
        ("o", 4, 4),
        (" ", 1, 1),
        *(("1", 1, 0), ("a", 1, 0), ("b", 1, 0)),
    ]
    assert found[0].read_as == [("0", 2), ("O", 1), ("", 1)]
    assert found[1].read_as == [("", 1)]
    assert len(errors_by_character([align("oooo", "01II")], shown=2)[0].read_as) == 2


def test_insertions_and_other_alphabets_change_no_count() -> None:
    (one,) = errors_by_character([align("a", "a<b>&")])
    assert (one.count, one.misread, one.read_as) == (1, 0, [])
