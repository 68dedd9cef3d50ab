"""Stage `corpus`: running text, split by document, in `data/corpus.json`."""

from pathlib import Path

from pipeline.common.files import project_root
from pipeline.data.sources.corpus import load_corpus
from pipeline.data.storage.corpus import write_corpus
from pipeline.settings.base import read_section
from pipeline.settings.sources import CorpusSettings

OUTPUT = Path("data/corpus.json")


def run(settings: CorpusSettings, store: Path, output: Path) -> None:
    """Get the text that `settings` name and write its three parts."""
    corpus = load_corpus(settings, store)
    write_corpus(output, corpus)
    counts = ", ".join(f"{len(text.split()):,} {part}" for part, text in corpus.text.items())
    print(f"corpus: {corpus.name}: {counts} words")


def main() -> None:
    """Read the settings and run."""
    run(read_section(CorpusSettings, "corpus"), project_root() / ".downloads", OUTPUT)
