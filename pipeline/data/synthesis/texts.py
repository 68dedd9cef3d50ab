"""Texts of lines: passages of the corpus that fit into a line."""

from collections.abc import Sequence

import numpy as np

from pipeline.common.errors import InputError


class TextSampler:
    """Samples texts of consecutive words: first the first word, then the last word among all that still fit.

    Words contain no spaces. A word that is longer than `max_characters` is never a first word.
    """

    def __init__(self, words: Sequence[str], max_characters: int) -> None:
        self.max_characters = max_characters
        self.text = " ".join(words)
        spaces = np.flatnonzero(np.frombuffer(self.text.encode("latin-1", "replace"), dtype=np.uint8) == ord(" "))
        # With one more at either end of the text, word k is between spaces k and k + 1.
        self.spaces = np.concatenate(([-1], spaces, [len(self.text)]))
        self.first_words = np.flatnonzero(np.diff(self.spaces) <= max_characters + 1)
        if not words or not self.first_words.size:
            raise InputError(f"lines: no word of the corpus has at most {max_characters} characters; raise max_length")

    def sample(self, count: int, rng: np.random.Generator, max_characters: int | None = None) -> list[str]:
        """Sample `count` texts with replacement.

        A lower `max_characters` limits texts of several words; a single word may still be longer.
        """
        limit = self.max_characters if max_characters is None else min(max_characters, self.max_characters)
        firsts = self.first_words[rng.integers(len(self.first_words), size=count)]
        starts = self.spaces[firsts] + 1
        last_spaces = np.maximum(np.searchsorted(self.spaces, starts + limit, side="right") - 1, firsts + 1)
        ends = self.spaces[firsts + 1 + rng.integers(last_spaces - firsts)]
        return [self.text[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
