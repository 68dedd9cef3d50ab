"""One bad input."""

from collections.abc import Mapping
from dataclasses import dataclass, field

DIRECTORY = b"a directory in place of the file"
"""Stands for a directory. Compare it by identity."""


@dataclass(frozen=True)
class Case:
    """A file with bad content, and the stage that must refuse it and name the file."""

    kind: str
    name: str
    stage: str
    path: str
    content: bytes | None
    """Content of the file; None if there is no file."""
    named: str = ""
    """What the error must name, if not the file."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """Settings to change in the workspace, by paths such as `corpus.source`."""
