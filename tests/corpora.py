"""Small archives in the layout of NLTK's `brown.zip`."""

from collections.abc import Mapping
from pathlib import Path

from tests.archives import write_zip


def brown_members(documents: Mapping[str, str]) -> dict[str, bytes]:
    """The archive's members by name; every word gets the tag of a noun."""
    tagged = {name: " ".join(f"{word}/nn" for word in text.split()) for name, text in documents.items()}
    others = {"brown/README": b"BROWN CORPUS\n", "brown/cats.txt": b"ca01 news\n"}
    return others | {f"brown/{name}": f"\n\n\t{text}\n".encode() for name, text in tagged.items()}


def write_brown_archive(path: Path, documents: Mapping[str, str]) -> Path:
    """Write an archive that `brown_documents` reads as `documents`, by name such as `ca01`."""
    return write_zip(path, brown_members(documents))
