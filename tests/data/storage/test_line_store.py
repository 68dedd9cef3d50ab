import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.common.errors import InputError
from pipeline.common.vocabulary import EMNIST
from pipeline.data.storage.line_store import FORMAT, LineWriter, read_attributes, read_lines
from pipeline.data.storage.lines import Lines
from tests.archives import outcome

T = 8
TEXTS = ["ab", "a?", "Zz 0", "123456", "!"]
ATTRIBUTES = {
    "max_length": T,
    "max_overlap": 0.33,
    "overlap_per": "line",
    "with_start_end_tokens": True,
    "train": 5,
    "data": "noise",
    "corpus": "nothing",
}


def make_lines(texts: Sequence[str], seed: int = 0) -> Lines:
    """Lines of noise as wide as they are, and each other array different everywhere."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (len(texts), 28, 28 * T), dtype=np.uint8)
    starts = rng.integers(0, 7000, (len(texts), T), dtype=np.uint16)
    widths = rng.integers(1, 28 * T, len(texts), endpoint=True, dtype=np.uint16)
    numbers = rng.integers(-1, 100_000, (len(texts), T), dtype=np.int32)
    images[np.broadcast_to(np.arange(28 * T) >= widths[:, None, None], images.shape)] = 0
    return Lines(images, list(texts), widths, starts, numbers)


def write(path: Path, texts: Sequence[str] = TEXTS, *, wrap: bool = False, block: int = 2) -> Lines:
    lines = make_lines(texts)
    blocks = [
        Lines(
            lines.images[i : i + block],
            lines.texts[i : i + block],
            lines.widths[i : i + block],
            lines.starts[i : i + block],
            lines.image_numbers[i : i + block],
        )
        for i in range(0, len(texts), block)
    ]
    with h5py.File(path, "w") as file:
        writer = LineWriter(file, ATTRIBUTES)
        writer.write("train", blocks, len(texts), T, wrap=wrap)
        writer.write("test", [make_lines(["x"], seed=1)], 1, T, wrap=wrap)
    return lines


def assert_same(read: Lines, written: Lines) -> None:
    assert read.texts == written.texts
    for name in ("images", "widths", "starts", "image_numbers"):
        array = getattr(read, name)
        assert array.dtype == getattr(written, name).dtype
        np.testing.assert_array_equal(array, getattr(written, name))


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("block", [1, 2, 5])
def test_what_was_written_is_read(tmp_path: Path, wrap: bool, block: int) -> None:
    written = write(tmp_path / "lines.h5", wrap=wrap, block=block)
    assert_same(read_lines(tmp_path / "lines.h5", "train"), written)
    assert_same(read_lines(tmp_path / "lines.h5", "test"), make_lines(["x"], seed=1))


def test_more_lines_than_a_chunk_of_the_file(tmp_path: Path) -> None:
    texts = [str(number) for number in range(120)]
    written = write(tmp_path / "lines.h5", texts, block=70)
    assert_same(read_lines(tmp_path / "lines.h5", "train"), written)


def test_labels_are_wrapped_and_padded(tmp_path: Path) -> None:
    write(tmp_path / "plain.h5", wrap=False)
    write(tmp_path / "wrapped.h5", wrap=True)
    with h5py.File(tmp_path / "plain.h5") as plain, h5py.File(tmp_path / "wrapped.h5") as wrapped:
        assert plain["train/labels"].dtype == np.uint8
        assert plain["train/labels"][:].tolist() == [
            [40, 41, 3, 3, 3, 3, 3, 3],
            [40, 82, 3, 3, 3, 3, 3, 3],
            [39, 65, 66, 4, 3, 3, 3, 3],
            [5, 6, 7, 8, 9, 10, 3, 3],
            [67, 3, 3, 3, 3, 3, 3, 3],
        ]
        assert wrapped["train/labels"][:].tolist() == [
            [1, 40, 41, 2, 3, 3, 3, 3],
            [1, 40, 82, 2, 3, 3, 3, 3],
            [1, 39, 65, 66, 4, 2, 3, 3],
            [1, 5, 6, 7, 8, 9, 10, 2],
            [1, 67, 2, 3, 3, 3, 3, 3],
        ]
        assert plain["train/lengths"][:].tolist() == wrapped["train/lengths"][:].tolist() == [2, 2, 4, 6, 1]


def test_attributes_are_plain_values(tmp_path: Path) -> None:
    write(tmp_path / "lines.h5")
    attributes = read_attributes(tmp_path / "lines.h5")
    assert attributes.pop("format") == FORMAT == "emnist-lines/2"
    assert json.loads(attributes.pop("vocabulary")) == list(EMNIST.tokens)
    assert attributes == ATTRIBUTES
    for key, value in ATTRIBUTES.items():
        assert type(attributes[key]) is type(value)


def test_the_same_lines_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        write(tmp_path / name)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    with h5py.File(tmp_path / "a.h5") as file:  # two files of the same second would agree anyway
        assert h5py.h5g.get_objinfo(file.id, b"train/images").mtime == 0


def refusal(path: Path, part: str = "train") -> str:
    with pytest.raises(InputError) as error:
        read_lines(path, part)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert message.endswith(("; run `dvc repro synthesize`", "; run `dvc repro -f synthesize`"))
    assert message.isprintable()
    return message


def test_files_that_hold_no_lines_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "lines.h5"
    assert "No such file" in refusal(path)
    with pytest.raises(InputError, match=r"lines\.h5: cannot be read as lines \(.*No such file.*\); run `dvc repro"):
        read_attributes(path)
    path.write_text("no HDF5 file")
    refusal(path)
    path.write_bytes(b"")
    refusal(path)
    write(path)
    assert "validation" in refusal(path, "validation")


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("format", None),
        ("format", "emnist-lines/1"),
        ("vocabulary", None),
        ("vocabulary", 7),
        ("vocabulary", json.dumps(EMNIST.tokens[::-1])),
    ],
)
def test_lines_of_another_version_or_vocabulary_are_refused(tmp_path: Path, attribute: str, value: object) -> None:
    path = tmp_path / "lines.h5"
    write(path)
    with h5py.File(path, "a") as file:
        del file.attrs[attribute]
        if value is not None:
            file.attrs[attribute] = value
    message = f"{path}: not lines of this version and vocabulary; run `dvc repro -f synthesize`"
    assert refusal(path) == message
    with pytest.raises(InputError) as error:
        read_attributes(path)
    assert str(error.value) == message


@pytest.mark.parametrize(("place", "index"), [((0, 2), 40), ((0, 1), 3), ((2, 0), 83), ((4, 7), 255)])
def test_labels_that_were_changed_are_refused(tmp_path: Path, place: tuple[int, int], index: int) -> None:
    path = tmp_path / "lines.h5"
    write(path)
    with h5py.File(path, "a") as file:
        file["train/labels"][place] = index
    assert refusal(path) == f"{path}: labels and lengths of 'train' disagree; run `dvc repro -f synthesize`"
    assert read_lines(path, "test").texts == ["x"]


@pytest.mark.parametrize("name", ["images", "labels", "starts", "image_numbers", "widths", "lengths"])
@pytest.mark.parametrize("instead", ["nothing", "a group", "a type"])
def test_missing_arrays_are_refused(tmp_path: Path, name: str, instead: str) -> None:
    path = tmp_path / "lines.h5"
    write(path)
    with h5py.File(path, "a") as file:
        del file[f"train/{name}"]
        if instead == "a group":
            file.create_group(f"train/{name}")
        elif instead == "a type":
            file[f"train/{name}"] = np.dtype("u1")
    assert "cannot be read as lines" in refusal(path)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        (np.full((5, T), -2, np.int32), "image_numbers are below -1"),
        (np.zeros((5, T), np.uint32), "image_numbers is no plain array of signed integers"),
        (np.zeros((5, T - 1), np.int32), "shapes do not fit"),
    ],
)
def test_image_numbers_that_do_not_fit_are_refused(tmp_path: Path, numbers: NDArray[Any], said: str) -> None:
    path = tmp_path / "lines.h5"
    write(path)
    with h5py.File(path, "a") as file:
        del file["train/image_numbers"]
        file["train/image_numbers"] = numbers
    assert said in refusal(path)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    path = tmp_path_factory.mktemp("lines") / "lines.h5"
    write(path)
    return path, path.read_bytes()


@given(st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_anywhere_is_refused(damaged: tuple[Path, bytes], share: float) -> None:
    path, content = damaged
    path.write_bytes(content[: int(share * len(content))])
    for read in (partial(read_lines, path, "train"), partial(read_attributes, path)):
        message = outcome(read)
        assert isinstance(message, str)
        assert message.startswith(f"{path}: ")
        assert message.isprintable()
