"""`data/lines/<name>.h5`: lines with their texts, positions and settings, for training, validation and test."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.common.errors import InputError
from pipeline.common.geometry import CELL
from pipeline.common.vocabulary import EMNIST, Vocabulary, parse_tokens
from pipeline.data.storage.hdf5 import check_datasets, plain_attributes, read_hdf5
from pipeline.data.storage.lines import NO_IMAGE, Lines
from pipeline.data.storage.packed_images import PackedImages

FORMAT = "emnist-lines/2"
REQUIRED: dict[str, type] = {
    "max_length": int,
    "with_start_end_tokens": bool,
    "train": int,
    "data": str,
    "corpus": str,
}
"""Attributes that later stages need, with their types."""
ARRAYS = ("images", "labels", "lengths", "widths", "starts")
NUMBERS = "image_numbers"
"""The one array with negative numbers."""
BLOCK = 500
"""Lines read at a time: a multiple of the file's chunks."""
UNREADABLE = "cannot be read as lines", "run `dvc repro synthesize`"


class LineWriter:
    """Writes lines block by block to an open HDF5 file."""

    def __init__(
        self, file: h5py.File, attributes: Mapping[str, Any], vocabulary: Vocabulary = EMNIST, others: str = ""
    ) -> None:
        """`others` are characters that only validation or test lines have: models do not know them."""
        self.file = file
        self.vocabulary = Vocabulary(vocabulary.characters + others)
        file.attrs["format"] = FORMAT
        file.attrs["vocabulary"] = json.dumps(vocabulary.tokens)
        if others:
            file.attrs["other_characters"] = others
        file.attrs.update(attributes)

    def write(
        self,
        part: str,
        blocks: Iterable[Lines],
        count: int,
        max_length: int,
        *,
        wrap: bool,
        shape: tuple[int, int] | None = None,
    ) -> None:
        """Write the `count` lines of one part; with `wrap`, labels begin with `<S>` and end with `<E>`.

        `shape` is the height and width of the images; by default cells for `max_length` characters.
        """
        group = self.file.create_group(part)
        size = (count, *(shape or (CELL, CELL * max_length)))
        images = group.create_dataset("images", size, "u1", chunks=(min(count, 50), *size[1:]), compression="lzf")
        labels = group.create_dataset("labels", (count, max_length), self.vocabulary.dtype)
        starts = group.create_dataset("starts", (count, max_length), "u2")
        numbers = group.create_dataset(NUMBERS, (count, max_length), "i4")
        widths = group.create_dataset("widths", (count,), "u2")
        lengths = group.create_dataset("lengths", (count,), "u2")
        done = 0
        for block in blocks:
            rows = slice(done, done + len(block))
            images[rows, :, : block.images.shape[2]] = block.images
            starts[rows], widths[rows] = block.starts, block.widths
            numbers[rows] = block.image_numbers
            labels[rows] = self.vocabulary.encode_padded(block.texts, max_length, wrap=wrap)
            lengths[rows] = [len(text) for text in block.texts]
            done = rows.stop

    def write_origins(self, part: str, groups: Sequence[str], pages: Sequence[str]) -> None:
        """Write the group and the page of each line of a part."""
        for kind, of_lines in (("group", groups), ("page", pages)):
            names, numbers = np.unique(of_lines, return_inverse=True)
            self.file[part].create_dataset(f"{kind}s", data=numbers.astype("u4"))
            encoded = json.dumps(names.tolist(), ensure_ascii=False).encode()
            self.file[part].create_dataset(f"{kind}_names", data=np.frombuffer(encoded, dtype="u1"))


def read_lines(path: Path, part: str) -> Lines:
    """Read one of `SPLITS`, with its images as `PackedImages`.

    Raises:
        InputError: the file is absent, damaged, or of another format or vocabulary.
    """
    with read_hdf5(path, *UNREADABLE) as file:
        _check_format(path, file)
        group = file[part]
        check_datasets({name: group[name] for name in ARRAYS})
        check_datasets({NUMBERS: group[NUMBERS]}, kind="i")
        _check_shapes({name: group[name].shape for name in (*ARRAYS, NUMBERS)})
        labels, lengths, widths, starts, numbers = (group[name][:] for name in (*ARRAYS[1:], NUMBERS))
        if numbers.min() < NO_IMAGE:
            raise ValueError(f"{NUMBERS} are below {NO_IMAGE}")
        images = _read_images(group["images"], widths, path.parent)
        vocabulary = _stored_vocabulary(file, with_others=True)
        origins = _read_names(group, "group"), _read_names(group, "page")
    texts = _decode_texts(path, part, labels, lengths, vocabulary)
    return Lines(images, texts, widths, starts, numbers, *origins)


def _decode_texts(
    path: Path, part: str, labels: NDArray[np.unsignedinteger], lengths: NDArray[np.uint16], vocabulary: Vocabulary
) -> list[str]:
    known = labels.max(initial=0) < vocabulary.num_classes
    texts = vocabulary.decode_rows(labels) if known else []
    if [len(text) for text in texts] != lengths.tolist():
        raise InputError(f"{path}: labels and lengths of {part!r} disagree; run `dvc repro -f synthesize`")
    return texts


def _check_shapes(shapes: Mapping[str, tuple[int, ...]]) -> None:
    count, targets = shapes["labels"]
    expected: dict[str, tuple[int, ...]] = {"labels": (count, targets), "starts": (count, targets)}
    expected |= {NUMBERS: (count, targets), "lengths": (count,), "widths": (count,)}
    expected["images"] = (count, *shapes["images"][1:3])
    if wrong := [f"{name} {shapes[name]}" for name in expected if shapes[name] != expected[name]]:
        raise ValueError(f"shapes do not fit labels {shapes['labels']}: {', '.join(wrong)}")


def _read_images(stored: h5py.Dataset, widths: NDArray[np.uint16], folder: Path) -> PackedImages:
    if not 0 < widths.min() <= widths.max() <= stored.shape[2]:
        raise ValueError("widths do not fit the images")
    images = PackedImages(widths, stored.shape[2], folder, stored.shape[1])
    for start in range(0, len(widths), BLOCK):
        images.append(stored[start : start + BLOCK])
    return images


def read_texts(path: Path, part: str) -> list[str]:
    """Read only the texts of one of `SPLITS`.

    Raises:
        InputError: as for `read_lines`.
    """
    with read_hdf5(path, *UNREADABLE) as file:
        _check_format(path, file)
        check_datasets({name: file[part][name] for name in ("labels", "lengths")})
        labels, lengths = file[part]["labels"][:], file[part]["lengths"][:]
        vocabulary = _stored_vocabulary(file, with_others=True)
    return _decode_texts(path, part, labels, lengths, vocabulary)


def read_attributes(path: Path) -> dict[str, Any]:
    """Read the settings of the lines and the names of their sources, as plain Python values.

    Raises:
        InputError: the file is absent, damaged, of another format or vocabulary, or lacks an attribute of `REQUIRED`.
    """
    with read_hdf5(path, *UNREADABLE) as file:
        _check_format(path, file)
        attributes = plain_attributes(file)
    if wrong := [name for name, kind in REQUIRED.items() if type(attributes.get(name)) is not kind]:
        raise InputError(f"{path}: does not say its {', '.join(wrong)}; run `dvc repro -f synthesize`")
    return attributes


def read_vocabulary(path: Path) -> Vocabulary:
    """Read the vocabulary of the training part: the classes of models that are trained on these lines."""
    with read_hdf5(path, *UNREADABLE) as file:
        _check_format(path, file)
        return _stored_vocabulary(file)


def read_height(path: Path) -> int:
    """Read the height of the images in pixels."""
    with read_hdf5(path, *UNREADABLE) as file:
        _check_format(path, file)
        images = file["train/images"]
        check_datasets({"images": images})
        return int(images.shape[1])


def _stored_vocabulary(file: h5py.File, *, with_others: bool = False) -> Vocabulary:
    vocabulary = parse_tokens(json.loads(file.attrs["vocabulary"]))
    others = file.attrs.get("other_characters", "") if with_others else ""
    return Vocabulary(vocabulary.characters + others)


def _read_names(part: h5py.Group, kind: str) -> list[str]:
    """The group or page of each line, or nothing for synthetic lines."""
    if f"{kind}s" not in part:
        return []
    for name in (f"{kind}s", f"{kind}_names"):
        check_datasets({name: part[name]})
    names = json.loads(part[f"{kind}_names"][:].tobytes().decode())
    numbers = part[f"{kind}s"][:].tolist()
    if len(numbers) != len(part["labels"]) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{kind}s do not fit the lines")
    return [names[number] for number in numbers]


def _check_format(path: Path, file: h5py.File) -> None:
    stored = file.attrs.get("format"), file.attrs.get("vocabulary")
    try:
        if stored[0] != FORMAT or not isinstance(stored[1], str):
            raise ValueError(stored[0])
        parse_tokens(json.loads(stored[1]))
    except ValueError:
        message = f"{path}: not lines of this version and vocabulary; run `dvc repro -f synthesize`"
        raise InputError(message) from None
