"""A text of the user's own, in the characters that a data set has."""

import unicodedata
from dataclasses import dataclass
from functools import cache

from pipeline.common.vocabulary import Vocabulary, normalize_text
from pipeline.metrics.folding import drop_accents

SUBSTITUTES = {
    **dict.fromkeys("‘’‚‛ʼ′`´", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **{"œ": "oe", "Œ": "Oe", "æ": "ae", "Æ": "Ae"},
}
"""Plainer signs for what printed texts have and people often do not write."""


@dataclass(frozen=True)
class FittedText:
    """A text with single spaces between words, and what was left out of it."""

    text: str
    words: int
    """How many words were left out."""
    characters: str
    """The characters that they have and the vocabulary lacks, each once."""


def fit_text(text: str, vocabulary: Vocabulary) -> FittedText:
    """Take plainer signs for characters that `vocabulary` lacks; leave out words that have others."""
    known = set(vocabulary.characters)

    @cache
    def plainer(character: str) -> str:
        forms = (SUBSTITUTES.get(character), drop_accents(character), unicodedata.normalize("NFKC", character))
        return next((form for form in (character, *forms) if form and known.issuperset(form)), character)

    words = ["".join(map(plainer, word)) for word in normalize_text(text).split(" ")]
    kept = [word for word in words if known.issuperset(word)]
    return FittedText(" ".join(filter(None, kept)), len(words) - len(kept), vocabulary.missing(words))
