from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.pages.worked_examples import PATHS, collapse_example, edit_table

WORDS = st.text(alphabet="abc", max_size=6)


def test_the_example_of_the_page() -> None:
    table = edit_table()
    assert (table.text, table.prediction, table.edits) == ("sitting", "kitten", 3)
    assert table.rate == pytest.approx(3 / 7)
    assert table.description == "s read as k; i read as e; g missing"


@given(WORDS, WORDS)
def test_the_table_matches_the_dynamic_program(text: str, prediction: str) -> None:
    table = edit_table(text, prediction).distances
    assert table[0] == list(range(len(prediction) + 1))
    assert [row[0] for row in table] == list(range(len(text) + 1))
    for i, a in enumerate(text):
        for j, b in enumerate(prediction):
            assert table[i + 1][j + 1] == min(table[i][j + 1] + 1, table[i + 1][j] + 1, table[i][j] + (a != b))


@given(WORDS, WORDS)
def test_the_path_goes_from_corner_to_corner_with_one_edit_per_step_at_most(text: str, prediction: str) -> None:
    table = edit_table(text, prediction)
    path = sorted(table.path)
    assert (path[0], path[-1]) == ((0, 0), (len(text), len(prediction)))
    for (i, j), (k, m) in pairwise(path):
        assert (k - i, m - j) in ((1, 0), (0, 1), (1, 1))
        assert table.distances[k][m] - table.distances[i][j] in (0, 1)


def test_paths_are_decoded_by_the_decoder() -> None:
    first, second = map(collapse_example, PATHS)
    assert (first.text, second.text) == ("hello", "helo")
    assert first.runs[:5] == [("·", 2), ("h", 2), ("·", 1), ("e", 1), ("·", 1)]
    for example in (first, second):
        assert "".join(symbol * count for symbol, count in example.runs) == example.path
        assert "".join(symbol for symbol, _ in example.runs if symbol != "·") == example.text


@pytest.mark.parametrize(("path", "text"), [("··", ""), ("a", "a"), ("a·a", "aa"), ("aaa", "a"), ("-- -", "- -")])
def test_short_paths(path: str, text: str) -> None:
    assert collapse_example(path).text == text
