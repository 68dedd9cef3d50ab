"""Pictures of handwriting to try models on: texts written in EMNIST's characters, and lines of the workspace."""

import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.common.errors import InputError
from pipeline.common.vocabulary import EMNIST, normalize_text
from pipeline.data.sources.glyphs import draw_glyphs
from pipeline.data.storage.characters import Characters, read_characters
from pipeline.data.storage.line_store import read_lines
from pipeline.data.synthesis.renderer import LineRenderer
from pipeline.settings.lines import LinesSettings

CHARACTERS, LINES = Path("data/characters.h5"), Path("data/lines")
MAX_CHARACTERS = 64
GLYPHS = 8
"""Built-in images of each character, where the workspace has no characters."""
TEXTS = ("Hello world", "The quick brown fox", "jumps over 13 lazy dogs", "Read me 2026")
"""Written as examples where the workspace has no lines."""
EXAMPLES = 6


@dataclass(frozen=True)
class Example:
    """A picture to read, and what it says."""

    text: str
    png: bytes


def write_line(text: str, seed: int) -> bytes:
    """A PNG, dark on white, with `text` in characters of the workspace's test part, or in built-in ones.

    Punctuation leaves an empty cell, as in the lines of the experiments: EMNIST has no images of it.

    Raises:
        InputError: the text is empty, too long, or has a character that EMNIST lacks.
    """
    text = normalize_text(text)
    if not 1 <= len(text) <= MAX_CHARACTERS:
        raise InputError(f"text: {len(text)} characters; write 1 to {MAX_CHARACTERS}")
    if missing := EMNIST.missing([text]):
        raise InputError(f"text: {missing[:10]!r} cannot be written; use A to Z, a to z, digits and spaces")
    lines = _renderer().render([text], np.random.default_rng(seed))
    return encode_png(lines.images[0, :, : lines.widths[0]])


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """A PNG, dark on white, of a line image (H, W)."""
    buffer = io.BytesIO()
    Image.fromarray(255 - image).save(buffer, "PNG")
    return buffer.getvalue()


@lru_cache(maxsize=1)
def examples() -> list[Example]:
    """The first test lines of each data set of the workspace, or lines that are written here."""
    files = sorted(LINES.glob("*.h5"))[:EXAMPLES]
    found = [example for path in files for example in _first_lines(path, EXAMPLES // len(files))]
    return found or [Example(text, write_line(text, seed)) for seed, text in enumerate(TEXTS)]


def _first_lines(path: Path, count: int) -> list[Example]:
    try:
        lines = read_lines(path, "test")
    except InputError:
        return []
    shown = range(min(count, len(lines)))
    return [Example(lines.texts[i], encode_png(lines.images[i, :, : lines.widths[i]])) for i in shown]


@lru_cache(maxsize=1)
def _renderer() -> LineRenderer:
    settings = LinesSettings(
        max_length=MAX_CHARACTERS + 2,
        min_overlap=0.0,
        max_overlap=0.2,
        overlap_per="character",
        with_start_end_tokens=False,
        train=1,
        validation=1,
        test=1,
        seed=0,
    )
    return LineRenderer(_characters(), settings)


def _characters() -> Characters:
    try:
        return read_characters(CHARACTERS, "test")
    except InputError:
        return draw_glyphs(GLYPHS, np.random.default_rng(0))
