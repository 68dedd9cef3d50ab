"""Where the language model and what beams read are kept, relative to the project's root."""

from pathlib import Path

LANGUAGE_MODEL = Path("data/language_model.h5")


def metrics(decoding: str) -> Path:
    """What a beam search measured on the test lines."""
    return Path("decodings") / f"{decoding}.json"


def predictions(decoding: str) -> Path:
    """Every test line with its reading by a beam search."""
    return Path("decodings") / f"{decoding}.csv"
