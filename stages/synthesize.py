"""Stage `synthesize`: one data set of lines, `data/lines/<name>.h5`."""

import argparse
import math
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pipeline.common.files import atomic_path
from pipeline.common.splits import SPLITS
from pipeline.data.storage.characters import describe_source, read_characters
from pipeline.data.storage.corpus import describe_corpus, read_corpus
from pipeline.data.storage.hdf5 import write_hdf5
from pipeline.data.storage.line_store import LineWriter
from pipeline.data.synthesis.lines import BLOCK, synthesize
from pipeline.settings.base import read_section
from pipeline.settings.lines import LinesSettings


def run(name: str, settings: LinesSettings, characters: Path, corpus: Path, output: Path) -> None:
    """Write the training, validation and test lines, each from its own characters and text."""
    source, text = describe_source(characters), describe_corpus(corpus)
    attributes = {
        **settings.model_dump(),
        "name": name,
        "data": source["data"],
        "data_source": source["source"],
        "data_sha256": source["sha256"],
        "corpus": text["name"],
        "corpus_source": text["source"],
        "corpus_sha256": text["sha256"],
    }
    streams = np.random.SeedSequence(settings.seed).spawn(len(SPLITS))
    with atomic_path(output) as partial, write_hdf5(partial) as file:
        writer = LineWriter(file, attributes)
        for part, stream in zip(SPLITS, streams, strict=True):
            count = getattr(settings, part)
            blocks = synthesize(
                read_corpus(corpus, part),
                read_characters(characters, part),
                settings,
                count,
                np.random.default_rng(stream),
            )
            total = math.ceil(count / BLOCK)
            shown = tqdm(blocks, desc=f"{name} {part}", total=total, unit="block", disable=None)
            writer.write(part, shown, count, settings.max_length, wrap=settings.with_start_end_tokens)
    counts = ", ".join(f"{getattr(settings, part):,} {part}" for part in SPLITS)
    print(f"synthesize: {name}: {counts} lines")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `pipeline.command_line`."""
    parser.add_argument("name", help="a key of the section `lines` of params.yaml")


def main(name: str) -> None:
    """Read the settings and run."""
    settings = read_section(LinesSettings, "lines", name)
    run(name, settings, Path("data/characters.h5"), Path("data/corpus.json"), Path(f"data/lines/{name}.h5"))
