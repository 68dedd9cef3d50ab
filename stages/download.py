"""Stage `download`: character images, checked, balanced and split, in `data/characters.h5`."""

from pathlib import Path

from pipeline.common.files import project_root
from pipeline.data.sources.characters import load_characters
from pipeline.data.storage.characters import write_characters
from pipeline.settings.base import read_section
from pipeline.settings.sources import EmnistSettings


def main() -> None:
    """Load the characters and write their three parts."""
    settings = read_section(EmnistSettings, "emnist")
    loaded = load_characters(settings, project_root() / ".downloads")
    attributes = {
        "data": loaded.name,
        "source": settings.source,
        "sha256": loaded.sha256,
        "seed": settings.seed,
    }
    write_characters(Path("data/characters.h5"), loaded.parts, attributes)
    counts = ", ".join(f"{len(part):,} {name}" for name, part in loaded.parts.items())
    print(f"download: {loaded.name}: {counts}")
