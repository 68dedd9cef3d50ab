"""The 83 classes of a model, in the lecture's order; encode text as class indices and decode it."""

import string
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

BLANK, START, END, PADDING = range(4)
SPECIAL_TOKENS = ("<B>", "<S>", "<E>", "<P>")
EMNIST_CHARACTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
"""Label k of EMNIST ByClass is the k-th of these characters, and class k + 4."""
UNDRAWN_CHARACTERS = " !\"#&'()*+,-./:;?"
"""Characters without an EMNIST image: their cell in a line stays empty."""
CHARACTERS = EMNIST_CHARACTERS + UNDRAWN_CHARACTERS
TOKENS = (*SPECIAL_TOKENS, *CHARACTERS)
NUM_CLASSES = len(TOKENS)

_UNKNOWN = 255
_CODE_OF_BYTE = np.full(256, _UNKNOWN, dtype=np.uint8)
_CODE_OF_BYTE[np.frombuffer(CHARACTERS.encode("ascii"), dtype=np.uint8)] = np.arange(
    len(SPECIAL_TOKENS), NUM_CLASSES, dtype=np.uint8
)
_BYTE_OF_CODE = np.frombuffer(b"\0" * len(SPECIAL_TOKENS) + CHARACTERS.encode("ascii"), dtype=np.uint8)


def encode(text: str) -> NDArray[np.uint8]:
    """Class indices of `text`, one per character, without special tokens.

    Raises:
        ValueError: a character is not in the vocabulary; the message names it.
    """
    codes = _look_up(text)
    if codes is None:
        bad = next(c for c in text if c not in CHARACTERS)
        raise ValueError(f"character {bad!r} of {text!r} is not in the vocabulary")
    return codes


def encode_padded(texts: Sequence[str], length: int, *, wrap: bool = False) -> NDArray[np.uint8]:
    """Class indices of several texts, (B, length), padded with `<P>`.

    `wrap` puts each text between `<S>` and `<E>`.

    Raises:
        ValueError: a character is not in the vocabulary, or a text (with its two tokens) is longer than `length`.
    """
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    codes = _look_up("".join(texts))  # all at once: a loop over the texts takes ten times as long
    if codes is None or (lengths + 2 * wrap).max(initial=0) > length:
        _raise_for_first_fault(texts, length, wrap)
    rows = np.full((len(texts), length), PADDING, dtype=np.uint8)
    rows[:, wrap:][np.arange(length - wrap) < lengths[:, None]] = codes
    if wrap:
        rows[:, :1] = START
        rows[np.arange(len(texts)), lengths + 1] = END
    return rows


def _look_up(text: str) -> NDArray[np.uint8] | None:
    """Class indices, or None if a character is not in the vocabulary."""
    codes = _CODE_OF_BYTE[np.frombuffer(text.encode("latin-1", "replace"), dtype=np.uint8)]
    return None if not text.isascii() or (codes == _UNKNOWN).any() else codes


def _raise_for_first_fault(texts: Sequence[str], length: int, wrap: bool) -> NoReturn:
    for text in texts:
        if (needed := len(encode(text)) + 2 * wrap) > length:
            raise ValueError(f"{text!r} needs {needed} positions, more than {length}")
    raise AssertionError("no text has a fault")


def decode(indices: Iterable[int]) -> str:
    """The text of a row of class indices, without special tokens."""
    return "".join(TOKENS[index] for index in indices if index >= len(SPECIAL_TOKENS))


def decode_rows(rows: NDArray[np.integer]) -> list[str]:
    """`decode` each row of class indices (B, T); much faster than a loop."""
    kept = rows >= len(SPECIAL_TOKENS)
    text = _BYTE_OF_CODE[rows.ravel()[np.flatnonzero(kept)]].tobytes().decode("ascii")
    ends = kept.sum(1).cumsum().tolist()
    return [text[start:end] for start, end in pairwise([0, *ends])]
