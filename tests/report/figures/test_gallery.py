from dataclasses import replace

import numpy as np

from pipeline.report.figures.gallery import MARGIN, SHOWN, frequent_confusions, line_picture, random_lines, worst_lines
from tests.report.figures.test_images import pixels
from tests.report.results import make_result
from tests.tiny import tiny_lines

TEXTS = ["aaa", "b", "cc", "dddd", "eee"] * 4
LINES = tiny_lines(TEXTS)


def test_the_worst_lines_have_the_most_edits_and_then_the_fewest_characters() -> None:
    predictions = list(TEXTS)
    predictions[3], predictions[2], predictions[0], predictions[1] = "", "", "a", "bxx"
    gallery = worst_lines(make_result(TEXTS, predictions), LINES)
    assert gallery.name == "mine"
    assert len(gallery.lines) == SHOWN
    assert [(line.text, line.predictions[0].edits) for line in gallery.lines[:5]] == [
        ("dddd", 4),
        ("b", 2),
        ("cc", 2),
        ("aaa", 2),
        ("b", 0),
    ]
    assert gallery.lines[0].predictions[0].description == "d missing; d missing; d missing; d missing"


def test_random_lines_are_the_same_for_all_experiments() -> None:
    results = [
        make_result(TEXTS, TEXTS, "right"),
        make_result(TEXTS, TEXTS, "elsewhere", lines="other"),
        make_result(TEXTS, [""] * len(TEXTS), "wrong"),
    ]
    gallery = random_lines("own", results, LINES)
    assert gallery.name == "own"
    assert len(gallery.lines) == SHOWN
    for line in gallery.lines:
        assert [prediction.key for prediction in line.predictions] == ["right", "wrong"]
        assert [prediction.edits for prediction in line.predictions] == [0, len(line.text)]
    assert random_lines("own", results, LINES) == gallery
    assert random_lines("own", results[:1], LINES).lines[0].picture == gallery.lines[0].picture


def test_if_there_are_few_lines_all_are_shown() -> None:
    lines = tiny_lines(["a", "b"])
    result = make_result(["a", "b"], ["", "b"])
    assert [line.text for line in worst_lines(result, lines).lines] == ["a", "b"]
    assert [line.text for line in random_lines("own", [result], lines).lines] == ["a", "b"]


def test_a_line_is_shown_up_to_its_width() -> None:
    picture = line_picture(LINES, 3)
    assert (picture.width, picture.height, picture.alt) == (4 * 28, 28, "handwriting: dddd")
    ink = LINES.images[3, :, : 4 * 28]
    assert ((pixels(picture) < 128) == (ink > 127)).all()


def test_confused_characters_are_cut_out_of_their_lines() -> None:
    texts = ["abc", "c", "xcx"]
    lines = tiny_lines(texts)
    first, second = frequent_confusions(make_result(texts, ["abC", "C", "xcX"]), lines)
    assert (first.true, first.predicted, first.count, len(first.pictures)) == ("c", "C", 2, 2)
    assert (second.true, second.predicted, second.count) == ("x", "X", 1)
    assert [picture.alt for picture in first.pictures] == ["c in “abc”, read as C", "c in “c”, read as C"]
    widths = [picture.width for picture in (*first.pictures, *second.pictures)]
    assert widths == [28 + 2 * MARGIN, 28 + MARGIN, 28 + 2 * MARGIN]
    cell = pixels(first.pictures[0])[:, MARGIN : MARGIN + 28]
    assert ((cell < 128) == (lines.images[0, :, 56:84] > 127)).all()
    assert np.ptp(cell) > 200
    assert 150 < pixels(first.pictures[0])[:, :MARGIN].min() < 255


def test_confused_characters_of_transcribed_lines_are_somewhere_in_the_middle_of_what_is_shown() -> None:
    texts = ["a" * 19 + "b"]
    width = 20 * 28
    lines = replace(tiny_lines(texts, max_length=20), groups=["page"])
    (last,) = frequent_confusions(make_result(texts, ["a" * 19 + "c"]), lines)
    # The last character is looked for at 19.5 / 20 of the width; two line heights before it are shown.
    assert last.pictures[0].width == width - (round(width * 19.5 / 20) - 2 * 28)
    (tenth,) = frequent_confusions(make_result(texts, ["a" * 9 + "c" + "a" * 9 + "b"]), lines)
    assert tenth.pictures[0].width == 4 * 28
