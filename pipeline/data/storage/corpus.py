"""`data/corpus.json`: English text for training, validation and test, which share no document."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.common.errors import InputError
from pipeline.common.files import write_text
from pipeline.common.splits import SPLITS

Document = tuple[str, str]
"""Name and text."""
REMEDY = "run `dvc repro corpus`"


@dataclass(frozen=True)
class Corpus:
    """The three parts of a text, and its source."""

    name: str
    """What reports call the text."""
    source: str
    """The setting `corpus.source`."""
    sha256: str
    """Hash of the archive, or of the text if there is no archive."""
    documents: Mapping[str, int]
    """Number of documents in each of `SPLITS`."""
    text: Mapping[str, str]
    """Normalized text of each of `SPLITS`: its documents, joined by spaces."""


def normalize(text: str) -> str:
    """Keep only ASCII letters, digits and single spaces, as the lecture's lab does.

    Punctuation is deleted, not replaced by a space: `over-all` becomes `overall`. Letters lose their accents, and
    characters without an ASCII form are deleted. White space of any kind separates words.
    """
    words = unicodedata.normalize("NFKD", text).split()
    return " ".join(filter(None, (re.sub("[^A-Za-z0-9]", "", word) for word in words)))


def split_documents(
    documents: Sequence[Document], validation_fraction: float, test_fraction: float, rng: np.random.Generator
) -> dict[str, list[Document]]:
    """Sample documents for validation and test without replacement, at least one each; the others are for training.

    Raises:
        InputError: no document would be left for training.
    """
    validation, test = (max(round(len(documents) * f), 1) for f in (validation_fraction, test_fraction))
    train = len(documents) - validation - test
    if train < 1:
        raise InputError(
            f"corpus: {len(documents)} documents cannot be split into {validation} for validation, {test} for test "
            "and at least 1 for training; lower the fractions or take a text of more documents"
        )
    order = rng.permutation(len(documents))
    drawn = np.split(order, [train, train + validation])
    return {part: [documents[i] for i in np.sort(chosen)] for part, chosen in zip(SPLITS, drawn, strict=True)}


def make_corpus(
    parts: Mapping[str, Sequence[Document]], *, name: str, source: str, sha256: str | None = None
) -> Corpus:
    """Normalize and join the documents of each part. `sha256` is the archive's hash, if there is an archive.

    Raises:
        InputError: a part has no words.
    """
    text = {part: normalize("\n".join(text for _, text in parts[part])) for part in SPLITS}
    if empty := [part for part in SPLITS if not text[part]]:
        raise InputError(f"corpus: no word in the {empty[0]} part of {name}; change corpus.seed or corpus.source")
    sha256 = sha256 or hashlib.sha256("\n".join(text.values()).encode()).hexdigest()
    return Corpus(name, source, sha256, {part: len(parts[part]) for part in SPLITS}, text)


def write_corpus(path: Path, corpus: Corpus) -> None:
    """Write the corpus. Equal input gives equal bytes."""
    write_text(path, json.dumps(asdict(corpus), indent=1) + "\n")


def read_corpus(path: Path, part: str) -> list[str]:
    """Read the words of one of `SPLITS`, in the order of the text.

    Raises:
        InputError: the file is absent, damaged, or was not written by `write_corpus`.
    """
    text = _load(path)["text"]
    if not isinstance(text, dict) or not isinstance(text.get(part), str):
        raise InputError(f"{path}: has no text for {part}; {REMEDY}")
    if strange := re.search("[^A-Za-z0-9 ]", text[part]):
        raise InputError(
            f"{path}: has {strange[0]!r} in the text for {part}, and only letters and digits are drawn; {REMEDY}"
        )
    words: list[str] = text[part].split()
    return words


def describe_corpus(path: Path) -> dict[str, Any]:
    """Read `name`, `source`, `sha256` and `documents` of a corpus.

    Raises:
        InputError: as for `read_corpus`.
    """
    content = _load(path)
    return {key: content[key] for key in ("name", "source", "sha256", "documents")}


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: no text to read ({error.strerror}); {REMEDY}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({error}); {REMEDY}") from None
    names = ("name", "source", "sha256")
    if (
        not isinstance(content, dict)
        or not Corpus.__dataclass_fields__.keys() <= content.keys()
        or not all(isinstance(content[name], str) for name in names)
    ):
        raise InputError(f"{path}: not a corpus; {REMEDY}")
    return content
