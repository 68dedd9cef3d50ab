"""What the tests of downloads share: contents with their hashes, and short forms."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from pipeline.common.errors import InputError
from pipeline.data.sources.download import Pin, fetch_first

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
OTHER = np.random.default_rng(1).bytes(len(CONTENT))
PIN = Pin("emnist.nist", SHA256, MD5)
HINT = "set emnist.archive to a copy of the file"


def left_in(store: Path) -> list[str]:
    """What a download leaves in the store beside its lock."""
    return sorted(path.name for path in store.iterdir() if path.suffix != ".lock")


def one_line(error: pytest.ExceptionInfo[InputError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def get(url: str, store: Path) -> Path:
    return fetch_first([url], store, PIN, hint=HINT)
