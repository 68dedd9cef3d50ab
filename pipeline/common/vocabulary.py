"""Vocabularies: the characters that a model knows, encoded as class indices and decoded again."""

import string
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

BLANK, START, END, PADDING = range(4)
SPECIAL_TOKENS = ("<B>", "<S>", "<E>", "<P>")
FIRST = len(SPECIAL_TOKENS)
"""Class of the first character. Special tokens come before it."""
UNKNOWN = -100
"""Class index of a character that a vocabulary lacks; PyTorch's cross-entropy ignores it."""


@dataclass(frozen=True)
class Vocabulary:
    """Distinct characters, each one Unicode code point. Character k is class k + 4, after the special tokens."""

    characters: str

    @property
    def tokens(self) -> tuple[str, ...]:
        """The name of each class."""
        return (*SPECIAL_TOKENS, *self.characters)

    @property
    def num_classes(self) -> int:
        """C, the number of classes, with the special tokens."""
        return FIRST + len(self.characters)

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """The smallest unsigned type that holds all classes."""
        return np.min_scalar_type(self.num_classes - 1)

    def encode(self, text: str) -> NDArray[np.unsignedinteger]:
        """Class indices of `text`, one per character, without special tokens.

        Raises:
            ValueError: a character is not in the vocabulary; the message names it.
        """
        codes = self._look_up(text)
        if (codes == UNKNOWN).any():
            raise ValueError(f"character {self.missing([text])[0]!r} of {text!r} is not in the vocabulary")
        return codes.astype(self.dtype)

    def encode_padded(
        self, texts: Sequence[str], length: int, *, wrap: bool = False, allow_unknown: bool = False
    ) -> NDArray[np.int64]:
        """Class indices of several texts, (B, length), padded with `<P>`.

        `wrap` puts each text between `<S>` and `<E>`. With `allow_unknown`, characters that the vocabulary lacks are
        `UNKNOWN`.

        Raises:
            ValueError: a character is not in the vocabulary, or a text (with its two tokens) is longer than `length`.
        """
        lengths = np.array([len(text) for text in texts], dtype=np.int64)
        codes = self._look_up("".join(texts))  # all at once: a loop over the texts takes ten times as long
        is_unknown = not allow_unknown and bool((codes == UNKNOWN).any())
        if is_unknown or (lengths + 2 * wrap).max(initial=0) > length:
            self._raise_for_first_fault(texts, length, wrap, allow_unknown)
        rows = np.full((len(texts), length), PADDING, dtype=np.int64)
        rows[:, wrap:][np.arange(length - wrap) < lengths[:, None]] = codes
        if wrap:
            rows[:, :1] = START
            rows[np.arange(len(texts)), lengths + 1] = END
        return rows

    def decode(self, indices: Iterable[int]) -> str:
        """The text of a row of class indices, without special tokens."""
        return "".join(self.characters[index - FIRST] for index in indices if index >= FIRST)

    def decode_rows(self, rows: NDArray[np.integer]) -> list[str]:
        """`decode` each row of class indices (B, T); much faster than a loop."""
        kept = rows >= FIRST
        codes = self._code_points[rows.ravel()[np.flatnonzero(kept)].astype(np.int64) - FIRST]
        text = codes.tobytes().decode("utf-32-le")
        ends = kept.sum(1).cumsum().tolist()
        return [text[start:end] for start, end in pairwise([0, *ends])]

    def known_part(self, text: str) -> str:
        """The text without the characters that the vocabulary lacks."""
        return "".join(character for character in text if character in self.characters)

    def missing(self, texts: Iterable[str]) -> str:
        """The characters of `texts` that the vocabulary lacks, each once, in the order of their first use."""
        known = set(self.characters)
        return "".join(dict.fromkeys(c for text in texts for c in text if c not in known))

    def _look_up(self, text: str) -> NDArray[np.int64]:
        """Class indices, `UNKNOWN` where a character is not in the vocabulary."""
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        classes: NDArray[np.int64] = self._classes[np.minimum(codes, len(self._classes) - 1)]
        return classes

    def _raise_for_first_fault(self, texts: Sequence[str], length: int, wrap: bool, allow_unknown: bool) -> NoReturn:
        for text in texts:
            needed = (len(text) if allow_unknown else len(self.encode(text))) + 2 * wrap
            if needed > length:
                raise ValueError(f"{text!r} needs {needed} positions, more than {length}")
        raise AssertionError("no text has a fault")

    @cached_property
    def _code_points(self) -> NDArray[np.uint32]:
        return np.frombuffer(self.characters.encode("utf-32-le", "surrogatepass"), dtype="<u4")

    @cached_property
    def _classes(self) -> NDArray[np.int64]:
        """The class of each code point up to the highest one that is known; the last entry stands for all others."""
        classes = np.full(int(self._code_points.max(initial=0)) + 2, UNKNOWN, dtype=np.int64)
        classes[self._code_points] = np.arange(FIRST, self.num_classes)
        return classes


def parse_tokens(tokens: object) -> Vocabulary:
    """The vocabulary with these tokens, as a file stores them.

    Raises:
        ValueError: not a list of the special tokens and then distinct characters.
    """
    if isinstance(tokens, list) and tuple(tokens[:FIRST]) == SPECIAL_TOKENS:
        characters = tokens[FIRST:]
        if all(isinstance(c, str) and len(c) == 1 for c in characters) and len(set(characters)) == len(characters):
            return Vocabulary("".join(characters))
    raise ValueError("not a vocabulary")


def normalize_text(text: str) -> str:
    """The text in Unicode's composed form (NFC), with single spaces between words and none around them."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def collect_vocabulary(texts: Iterable[str]) -> Vocabulary:
    """The vocabulary of some texts: their characters, sorted, and the space."""
    return Vocabulary("".join(sorted(set(" ").union(*texts))))


EMNIST_CHARACTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
"""Label k of EMNIST ByClass is the k-th of these characters, and class k + 4."""
UNDRAWN_CHARACTERS = " !\"#&'()*+,-./:;?"
"""Characters without an EMNIST image: their cell in a line stays empty."""
EMNIST = Vocabulary(EMNIST_CHARACTERS + UNDRAWN_CHARACTERS)
"""The 83 classes of the lecture, in its order."""
