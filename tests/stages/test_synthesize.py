import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.common.files import file_sha256
from pipeline.common.splits import SPLITS
from pipeline.common.vocabulary import EMNIST_CHARACTERS
from pipeline.data.storage.characters import Characters, read_characters
from pipeline.data.storage.line_store import read_attributes, read_lines
from tests.archives import make_characters, write_emnist_archive
from tests.corpora import write_brown_archive
from tests.imports import ROOT
from tests.projects import Project

DOCUMENTS = {f"c{letter}{n:02}": f"{letter}{n} {letter}x{n}" for letter in "abcdefgh" for n in range(1, 6)}
SIZES = {"max_length": 9, "train": 30, "validation": 12, "test": 11}
DIGITS = "0123456789"


@pytest.fixture
def prepared(project: Project) -> Project:
    """A project whose characters are noise, no two alike, and whose every word is in one document only."""
    archive = write_emnist_archive(project.root / "own.zip", make_characters(6, seed=0), make_characters(2, seed=1))
    text = write_brown_archive(project.root / "brown.zip", DOCUMENTS)
    project.change(
        emnist={"source": "archive", "archive": archive.name, "validation_fraction": 0.4},
        corpus={
            "source": "archive",
            "archive": text.name,
            "brown": {"sha256": file_sha256(text)},
            "validation_fraction": 0.3,
            "test_fraction": 0.3,
        },
        lines=dict.fromkeys(("aligned", "matched", "variable"), SIZES),
    )
    project.run("download")
    project.run("corpus")
    return project


def used(characters: Characters) -> dict[bytes, str]:
    pairs = zip(characters.images, characters.labels, strict=True)
    return {image.tobytes(): EMNIST_CHARACTERS[label] for image, label in pairs}


def test_each_part_has_its_own_characters_and_text(prepared: Project) -> None:
    assert prepared.run("synthesize", "aligned") == "synthesize: aligned: 30 train, 12 validation, 11 test lines\n"
    documents: dict[str, set[str]] = {}
    drawn: dict[str, set[bytes]] = {}
    for part in SPLITS:
        lines = read_lines(Path("data/lines/aligned.h5"), part)
        stored = read_characters(Path("data/characters.h5"), part)
        characters = used(stored)
        documents[part], drawn[part] = set(), set()
        rows = zip(lines.images, lines.texts, lines.starts, lines.image_numbers.tolist(), strict=True)
        for image, text, starts, numbers in rows:
            # `a5 ax5` is all of document ca05, so every word tells where it is from.
            documents[part] |= {f"c{word[0]}{int(word.strip('abcdefghx')):02}" for word in text.split()}
            assert set(numbers[len(text) :]) <= {-1}
            for character, start, number in zip(text, starts.tolist(), numbers, strict=False):
                cell = np.ascontiguousarray(image[:, start : start + 28])
                if character == " ":
                    assert not cell.any()
                    assert number == -1
                else:
                    assert characters[cell.tobytes()] == character
                    np.testing.assert_array_equal(cell, stored.images[number])
                    drawn[part].add(cell.tobytes())
        assert len(lines) == SIZES[part]
        assert drawn[part] <= set(characters)
    assert sum(map(len, drawn.values())) == len(set().union(*drawn.values())) > 30
    assert sum(map(len, documents.values())) == len(set().union(*documents.values())) > 10
    assert set().union(*documents.values()) <= set(DOCUMENTS)


def test_a_file_describes_its_settings_and_sources(prepared: Project) -> None:
    prepared.change(lines={"variable": {"with_start_end_tokens": True}})
    prepared.run("synthesize", "variable")
    attributes = read_attributes(Path("data/lines/variable.h5"))
    assert attributes.pop("format") == "emnist-lines/2"
    assert attributes.pop("vocabulary").startswith('["<B>", "<S>", "<E>", "<P>", "0"')
    assert attributes == {
        "name": "variable",
        "max_length": 9,
        "min_overlap": 0.0,
        "max_overlap": 0.33,
        "overlap_per": "character",
        "with_start_end_tokens": True,
        "train": 30,
        "validation": 12,
        "test": 11,
        "seed": 42,
        "data": "EMNIST ByClass re-split (372 train characters)",
        "data_source": "archive",
        "data_sha256": file_sha256(prepared.root / "own.zip"),
        "corpus": "40 documents of the Brown corpus",
        "corpus_source": "archive",
        "corpus_sha256": file_sha256(prepared.root / "brown.zip"),
    }


def test_another_process_at_another_time_writes_the_same_bytes(prepared: Project) -> None:
    path = prepared.root / "data/lines/variable.h5"
    prepared.run("synthesize", "variable")
    first = path.read_bytes()
    path.unlink()
    time.sleep(1.1)  # HDF5 counts whole seconds, where it keeps times.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "1", "PYTHONWARNINGS": "error"}
    subprocess.run([sys.executable, "-m", "stages", "synthesize", "variable"], env=environment, check=True)
    assert path.read_bytes() == first

    texts = read_lines(path, "test").texts
    prepared.change(lines={"variable": {"seed": 43}})
    prepared.run("synthesize", "variable")
    assert read_lines(path, "test").texts != texts


def test_lines_that_are_not_in_the_settings_are_refused(prepared: Project) -> None:
    known = "params.yaml: lines.mached: unknown; did you mean matched?"
    assert prepared.refusal("synthesize", "mached") == known
    assert not (prepared.root / "data/lines").exists()


@pytest.mark.parametrize("absent", ["characters.h5", "corpus.json"])
def test_missing_inputs_are_named(prepared: Project, absent: str) -> None:
    (prepared.root / "data" / absent).unlink()
    stage = {"characters.h5": "download", "corpus.json": "corpus"}[absent]
    line = prepared.refusal("synthesize", "aligned")
    assert line.startswith(f"data/{absent}: ")
    assert line.endswith(f"run `dvc repro {stage}`")
    assert not (prepared.root / "data/lines/aligned.h5").exists()
