"""Stage `corpus`: running text, split by document, in `data/corpus.json`."""

from pathlib import Path

from pipeline.common.files import project_root
from pipeline.data.sources.corpus import load_corpus
from pipeline.data.storage.corpus import write_corpus
from pipeline.settings.base import read_section
from pipeline.settings.sources import CorpusSettings


def main() -> None:
    """Load the text and write its three parts."""
    corpus = load_corpus(read_section(CorpusSettings, "corpus"), project_root() / ".downloads")
    write_corpus(Path("data/corpus.json"), corpus)
    counts = ", ".join(f"{len(text.split()):,} {part}" for part, text in corpus.text.items())
    print(f"corpus: {corpus.name}: {counts} words")
