"""Stage `download`: character images, checked, balanced and split, in `data/characters.h5`."""

from pathlib import Path

from pipeline.common.files import project_root
from pipeline.data.sources.characters import load_characters
from pipeline.data.storage.characters import write_characters
from pipeline.settings.base import read_section
from pipeline.settings.sources import EmnistSettings

OUTPUT = Path("data/characters.h5")


def run(settings: EmnistSettings, store: Path, output: Path) -> None:
    """Get the characters that `settings` name and write their three parts."""
    loaded = load_characters(settings, store)
    attributes = {
        "data": loaded.data,
        "source": settings.source,
        "sha256": loaded.sha256,
        "seed": settings.seed,
    }
    write_characters(output, loaded.parts, attributes)
    counts = ", ".join(f"{len(part):,} {name}" for name, part in loaded.parts.items())
    print(f"download: {loaded.data}: {counts}")


def main() -> None:
    """Read the settings and run."""
    run(read_section(EmnistSettings, "emnist"), project_root() / ".downloads", OUTPUT)
