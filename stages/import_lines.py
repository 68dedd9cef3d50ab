"""Stage `import_lines`: one data set of transcribed lines of your own, `data/lines/<name>.h5`."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from pipeline.common import paths
from pipeline.common.files import atomic_path
from pipeline.common.progress import progress_bar
from pipeline.common.splits import SPLITS
from pipeline.common.vocabulary import collect_vocabulary, normalize_text
from pipeline.data.storage.hdf5 import write_hdf5
from pipeline.data.storage.line_store import LineWriter
from pipeline.data.transcriptions.draw import draw_lines
from pipeline.data.transcriptions.parts import Parts, find_shared_texts, split_transcriptions
from pipeline.data.transcriptions.read import read_transcriptions
from pipeline.settings.base import read_section
from pipeline.settings.own_lines import OwnLinesSettings

BLOCK = 200
"""Lines in memory at a time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument("name", help="a key of the section `own_lines` of params.yaml")


def main(name: str) -> None:
    """Read the pages or lines, divide them into parts, and write their images and texts."""
    settings = read_section(OwnLinesSettings, "own_lines", name)
    root = Path(settings.path)
    lines, left_out = read_transcriptions(settings, root)
    parts = split_transcriptions(lines, settings, root)
    vocabulary = collect_vocabulary([*(line.text for line in parts["train"]), normalize_text(settings.characters)])
    others = vocabulary.missing(line.text for part in SPLITS for line in parts[part])
    max_length = max(len(line.text) for part in SPLITS for line in parts[part])
    attributes = {
        "name": name,
        "data": name,
        "corpus": name,
        "max_length": max_length,
        "with_start_end_tokens": False,
        **{part: len(parts[part]) for part in SPLITS},
    }
    with atomic_path(paths.lines(name)) as partial, write_hdf5(partial) as file:
        writer = LineWriter(file, attributes, vocabulary, others)
        for part in SPLITS:
            bar = progress_bar(parts[part], desc=f"{name} {part}", unit="line")
            shape = settings.height, max(line.width(settings.height) for line in parts[part])
            blocks = draw_lines(bar, settings.height, max_length, BLOCK)
            writer.write(part, blocks, len(parts[part]), max_length, wrap=False, shape=shape)
            writer.write_origins(part, [line.group for line in parts[part]], [line.page for line in parts[part]])
    report(name, parts, left_out, others, unused=len(lines) - sum(map(len, parts.values())))


def report(name: str, parts: Parts, left_out: Mapping[str, int], others: str, unused: int) -> None:
    """Print how many lines there are, and everything about them that a person should know."""
    counts = ", ".join(f"{len(parts[part]):,} {part}" for part in SPLITS)
    print(f"import_lines: {name}: {counts} lines")
    for reason, count in left_out.items():
        print(f"import_lines: {name}: left out {count} lines: {reason}")
    if unused:
        print(f"import_lines: {name}: {unused} lines are in no part")
    if others:
        print(f"import_lines: {name}: training lacks {len(others)} characters of other parts: {' '.join(others)}")
    if shared := find_shared_texts(parts):
        print(f"import_lines: {name}: {len(shared)} texts are in several parts, such as {shared[0]!r}")
