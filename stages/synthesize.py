"""Stage `synthesize`: one data set of lines, `data/lines/<name>.h5`."""

import argparse
import math
from pathlib import Path

import numpy as np

from pipeline.common import paths
from pipeline.common.files import atomic_path
from pipeline.common.progress import progress_bar
from pipeline.common.splits import SPLITS
from pipeline.data.storage.characters import describe_source, read_characters
from pipeline.data.storage.corpus import describe_corpus, read_corpus
from pipeline.data.storage.hdf5 import write_hdf5
from pipeline.data.storage.line_store import LineWriter
from pipeline.data.synthesis.synthesize import BLOCK, synthesize
from pipeline.settings.base import read_section
from pipeline.settings.lines import LinesSettings

CHARACTERS, CORPUS = Path("data/characters.h5"), Path("data/corpus.json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument("name", help="a key of the section `lines` of params.yaml")


def main(name: str) -> None:
    """Write training, validation and test lines, each from its own part of the characters and the text."""
    settings = read_section(LinesSettings, "lines", name)
    attributes = collect_attributes(name, settings)
    streams = np.random.SeedSequence(settings.seed).spawn(len(SPLITS))
    with atomic_path(paths.lines(name)) as partial, write_hdf5(partial) as file:
        writer = LineWriter(file, attributes)
        for part, stream in zip(SPLITS, streams, strict=True):
            count, rng = getattr(settings, part), np.random.default_rng(stream)
            blocks = synthesize(read_corpus(CORPUS, part), read_characters(CHARACTERS, part), settings, count, rng)
            total = math.ceil(count / BLOCK)
            bar = progress_bar(blocks, desc=f"{name} {part}", total=total, unit="block")
            writer.write(part, bar, count, settings.max_length, wrap=settings.with_start_end_tokens)
    counts = ", ".join(f"{getattr(settings, part):,} {part}" for part in SPLITS)
    print(f"synthesize: {name}: {counts} lines")


def collect_attributes(name: str, settings: LinesSettings) -> dict[str, object]:
    """What the file of lines says about itself: its settings, and the sources of its characters and text."""
    source, text = describe_source(CHARACTERS), describe_corpus(CORPUS)
    return {
        **settings.model_dump(),
        "name": name,
        "data": source["data"],
        "data_source": source["source"],
        "data_sha256": source["sha256"],
        "corpus": text["name"],
        "corpus_source": text["source"],
        "corpus_sha256": text["sha256"],
    }
