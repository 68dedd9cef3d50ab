"""CERs of texts without what often does not matter: case, accents and punctuation."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.error_rates import edit_distances

ACCENTS = re.compile("[\u0300-\u036f]")
"""Unicode's block of combining diacritical marks. Marks of other scripts are parts of words."""


def fold_case(text: str) -> str:
    """The text with small letters only, of the same length: a letter whose small form is longer stays."""
    return "".join(c.casefold() if len(c.casefold()) == 1 else c for c in text)


def drop_accents(text: str) -> str:
    """The text with plain letters: e for é, c for ç. Letters of their own, such as œ and ø, stay."""
    return unicodedata.normalize("NFC", ACCENTS.sub("", unicodedata.normalize("NFD", text)))


def drop_punctuation(text: str) -> str:
    """The text without what Unicode calls punctuation, and with single spaces between words: `l'an, 2` is `lan 2`."""
    return " ".join("".join(c for c in text if unicodedata.category(c)[0] != "P").split())


def fold_all(text: str) -> str:
    """The text without case, accents and punctuation."""
    return drop_punctuation(drop_accents(fold_case(text)))


FOLDINGS: dict[str, Callable[[str], str]] = {
    "cer_folded": fold_case,
    "cer_no_accents": drop_accents,
    "cer_no_punctuation": drop_punctuation,
    "cer_plain": fold_all,
}
"""How both texts are changed before their edits are counted, by the name of the CER."""
FOLDED_RATES = {name: (f"{name}_edits", f"{name}_characters") for name in FOLDINGS}
"""Each CER is the sum of edits over lines, divided by the sum of characters that the folded texts have."""


def folded_sums(
    predictions: Sequence[str], targets: Sequence[str], names: Iterable[str] = FOLDINGS
) -> dict[str, NDArray[np.float64]]:
    """What each of N lines adds to the sums of the CERs `names` in `FOLDED_RATES`, (N,) each."""
    sums: dict[str, NDArray[np.float64]] = {}
    for name in names:
        fold = FOLDINGS[name]
        folded = [fold(text) for text in targets]
        edits = edit_distances([fold(text) for text in predictions], folded)
        counts = np.array([len(text) for text in folded])
        for part, values in zip(FOLDED_RATES[name], (edits, counts), strict=True):
            sums[part] = values.astype(np.float64)
    return sums
