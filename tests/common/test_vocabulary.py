import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.common.vocabulary import BLANK, EMNIST, EMNIST_CHARACTERS, END, PADDING, START, UNDRAWN_CHARACTERS

texts = st.text(st.sampled_from(EMNIST.characters), max_size=40)

LECTURE = {
    0: "<B>",
    1: "<S>",
    2: "<E>",
    3: "<P>",
    **{4 + digit: str(digit) for digit in range(10)},
    **{14 + letter: chr(ord("A") + letter) for letter in range(26)},
    **{40 + letter: chr(ord("a") + letter) for letter in range(26)},
    66: " ",
    67: "!",
    68: '"',
    69: "#",
    70: "&",
    71: "'",
    72: "(",
    73: ")",
    74: "*",
    75: "+",
    76: ",",
    77: "-",
    78: ".",
    79: "/",
    80: ":",
    81: ";",
    82: "?",
}


def test_the_83_tokens_stand_in_the_lectures_order() -> None:
    assert dict(enumerate(EMNIST.tokens)) == LECTURE
    assert EMNIST.num_classes == 83
    assert (BLANK, START, END, PADDING) == (0, 1, 2, 3)


def test_emnist_label_k_is_class_k_plus_4() -> None:
    assert len(EMNIST_CHARACTERS) == 62
    assert [EMNIST_CHARACTERS[label] for label in (0, 9, 10, 35, 36, 61)] == list("09AZaz")
    for label, character in enumerate(EMNIST_CHARACTERS):
        assert EMNIST.encode(character).tolist() == [label + 4]


def test_space_and_punctuation_are_not_drawn() -> None:
    assert list(UNDRAWN_CHARACTERS) == [LECTURE[index] for index in range(66, 83)]


def test_known_texts() -> None:
    codes = EMNIST.encode("Hi 0?")
    assert codes.dtype == np.uint8
    assert codes.tolist() == [21, 48, 66, 4, 82]
    assert EMNIST.encode("").tolist() == []
    assert EMNIST.decode([21, 48, 66, 4, 82]) == "Hi 0?"


@given(texts)
def test_text_round_trip(text: str) -> None:
    assert EMNIST.decode(EMNIST.encode(text)) == text


@given(st.lists(st.integers(4, 82), max_size=40))
def test_indices_round_trip(indices: list[int]) -> None:
    assert EMNIST.encode(EMNIST.decode(indices)).tolist() == indices


@given(texts, st.integers(0, 5), st.booleans())
def test_padded_text_round_trip(text: str, room: int, wrap: bool) -> None:
    row = EMNIST.encode_padded([text], len(text) + 2 * wrap + room, wrap=wrap)[0]
    assert EMNIST.decode(row.tolist()) == text
    assert row[len(row) - room :].tolist() == [3] * room


@given(texts, st.characters().filter(lambda character: character not in EMNIST.characters), texts)
def test_an_unknown_character_is_refused_by_name(before: str, unknown: str, after: str) -> None:
    with pytest.raises(ValueError) as error:
        EMNIST.encode(before + unknown + after)
    assert str(error.value).startswith(f"character {unknown!r} of ")


@pytest.mark.parametrize("unknown", ["é", "ÿ", "€", "\x00", "\n", "$", "\U0001f600", "\udc80"])
def test_unknown_characters_of_every_kind(unknown: str) -> None:
    with pytest.raises(ValueError) as error:
        EMNIST.encode(f"what?{unknown}")
    assert str(error.value) == f"character {unknown!r} of {f'what?{unknown}'!r} is not in the vocabulary"


def test_rows_are_padded_and_wrapped() -> None:
    rows = EMNIST.encode_padded(["ab", "", "0"], 4)
    assert rows.dtype == np.int64
    assert rows.tolist() == [[40, 41, 3, 3], [3, 3, 3, 3], [4, 3, 3, 3]]
    assert EMNIST.encode_padded(["ab", "", "0"], 4, wrap=True).tolist() == [[1, 40, 41, 2], [1, 2, 3, 3], [1, 4, 2, 3]]
    assert EMNIST.encode_padded([], 4).shape == (0, 4)


@pytest.mark.parametrize(("text", "wrap", "needed"), [("abcde", False, 5), ("abc", True, 5)])
def test_a_text_that_does_not_fit_is_refused(text: str, wrap: bool, needed: int) -> None:
    with pytest.raises(ValueError, match=f"^{text!r} needs {needed} positions, more than 4$"):
        EMNIST.encode_padded(["a", text], 4, wrap=wrap)


@given(st.lists(texts, max_size=6), st.integers(0, 3), st.booleans())
def test_several_texts_are_encoded_like_each_alone(several: list[str], room: int, wrap: bool) -> None:
    length = max(map(len, several), default=0) + 2 * wrap + room
    rows = EMNIST.encode_padded(several, length, wrap=wrap)
    assert rows.shape == (len(several), length)
    for row, text in zip(rows.tolist(), several, strict=True):
        whole = [START, *EMNIST.encode(text).tolist(), END] if wrap else EMNIST.encode(text).tolist()
        assert row == whole + [PADDING] * (length - len(whole))


@pytest.mark.parametrize(
    ("faulty", "message"),
    [
        (["a", "b\u20ac", "too long"], "character '\u20ac' of 'b\u20ac' is not in the vocabulary"),
        (["a", "too long", "b\u20ac"], "'too long' needs 8 positions, more than 4"),
        (["a", "$", "\xe9"], "character '$' of '$' is not in the vocabulary"),
    ],
)
def test_the_first_text_with_a_fault_is_named(faulty: list[str], message: str) -> None:
    with pytest.raises(ValueError) as error:
        EMNIST.encode_padded(faulty, 4)
    assert str(error.value) == message


@pytest.mark.parametrize("special", range(4))
def test_special_tokens_are_left_out_everywhere(special: int) -> None:
    assert EMNIST.decode([special, 40, special, special, 41, special]) == "ab"


def test_known_rows() -> None:
    rows = np.array([[21, 48, PADDING, PADDING], [BLANK, 4, END, 82], [START, END, BLANK, PADDING], [40, 66, 66, 40]])
    assert EMNIST.decode_rows(rows) == ["Hi", "0?", "", "a  a"]
    assert EMNIST.decode_rows(rows.astype(np.uint8)) == ["Hi", "0?", "", "a  a"]
    assert EMNIST.decode_rows(rows[:0]) == []
    assert EMNIST.decode_rows(rows[:, :0]) == [""] * 4


@given(st.integers(0, 6).flatmap(lambda n: st.lists(st.lists(st.integers(0, 82), min_size=n, max_size=n), max_size=5)))
def test_rows_are_decoded_like_each_alone(rows: list[list[int]]) -> None:
    found = EMNIST.decode_rows(np.array(rows, dtype=np.int64).reshape(len(rows), len(rows[0]) if rows else 0))
    assert found == [EMNIST.decode(row) for row in rows]


def test_an_index_that_is_no_class_is_refused() -> None:
    with pytest.raises(IndexError):
        EMNIST.decode_rows(np.array([[40, EMNIST.num_classes]]))
