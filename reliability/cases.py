"""One bad input."""

from collections.abc import Mapping
from dataclasses import dataclass, field

DIRECTORY = b"a directory in place of the file"
"""Stands for a directory; compared by identity."""


@dataclass(frozen=True)
class Case:
    """A file with bad content, and the stage that must refuse it by the file's name."""

    kind: str
    name: str
    stage: str
    path: str
    content: bytes | None
    """What the file holds; None for no file."""
    named: str = ""
    """What the refusal must name, if not the file."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """Settings that differ from the workspace's, by their path such as `corpus.source`."""
