"""The one table of formats, and what is left out of them."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from pipeline.common.errors import InputError
from pipeline.common.vocabulary import normalize_text
from pipeline.data.transcriptions.base import Transcription
from pipeline.data.transcriptions.folder import read_folder
from pipeline.data.transcriptions.pages import read_pages
from pipeline.data.transcriptions.table import read_table
from pipeline.settings.own_lines import OwnLinesSettings

FORMATS: dict[str, Callable[[OwnLinesSettings, Path], Iterator[Transcription]]] = {
    "pages": read_pages,
    "folder": read_folder,
    "table": read_table,
}
MAX_WIDTH = 16_384
"""Pixels. A line that is wider at its height is no line."""


def read_transcriptions(settings: OwnLinesSettings, path: Path) -> tuple[list[Transcription], Counter[str]]:
    """All lines with their texts in Unicode's composed form, and how many are left out for which reason.

    Raises:
        InputError: there is nothing to read, or a file is damaged.
    """
    if not path.exists():
        raise InputError(f"own_lines.….path: {path}: no such file or folder")
    kept, left_out = [], Counter[str]()
    for line in FORMATS[settings.format](settings, path):
        text = normalize_text(line.text)
        if not text:
            left_out["no text or no outline"] += 1
        elif line.width(settings.height) > MAX_WIDTH:
            left_out["too wide for a line"] += 1
        else:
            kept.append(replace(line, text=text))
    if not kept:
        raise InputError(f"own_lines.….path: {path}: has no line with a text")
    return kept, left_out
