"""`data/lines/<name>.h5`: synthetic lines with all that is known of them."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.common import vocabulary
from pipeline.common.errors import InputError, reraise_shortage
from pipeline.common.geometry import CELL
from pipeline.data.storage.hdf5 import in_line, require_stored
from pipeline.data.storage.lines import Lines
from pipeline.data.storage.packed_images import PackedImages

FORMAT = "emnist-lines/1"
REQUIRED: dict[str, type] = {
    "max_length": int,
    "with_start_end_tokens": bool,
    "train": int,
    "data": str,
    "corpus": str,
}
"""What later stages need to know of the lines."""
ARRAYS = ("images", "labels", "lengths", "widths", "starts")
BLOCK = 500
"""Lines read at a time: whole chunks of the file."""


class LineWriter:
    """Appends blocks of lines to an open HDF5 file, a chunk of memory at a time."""

    def __init__(self, file: h5py.File, attributes: Mapping[str, Any]) -> None:
        self.file = file
        file.attrs["format"] = FORMAT
        file.attrs["vocabulary"] = json.dumps(vocabulary.TOKENS)
        file.attrs.update(attributes)

    def write(self, part: str, blocks: Iterable[Lines], count: int, max_length: int, *, wrap: bool) -> None:
        """Write the `count` lines of one part; labels (N, T) are the text, wrapped if asked, then `<P>`."""
        group = self.file.create_group(part)
        size = (count, CELL, CELL * max_length)
        images = group.create_dataset("images", size, "u1", chunks=(min(count, 50), *size[1:]), compression="lzf")
        labels = group.create_dataset("labels", (count, max_length), "u1")
        starts = group.create_dataset("starts", (count, max_length), "u2")
        widths = group.create_dataset("widths", (count,), "u2")
        lengths = group.create_dataset("lengths", (count,), "u2")
        done = 0
        for block in blocks:
            rows = slice(done, done + len(block.texts))
            images[rows], starts[rows], widths[rows] = block.images, block.starts, block.widths
            labels[rows] = vocabulary.encode_padded(block.texts, max_length, wrap=wrap)
            lengths[rows] = [len(text) for text in block.texts]
            done = rows.stop


def read_lines(path: Path, part: str) -> Lines:
    """Read one part of a line file; its images are packed, and in a temporary file where they are many.

    Raises:
        InputError: the file is absent, damaged, or written with another vocabulary or format.
    """
    try:
        with h5py.File(path, "r") as file:
            _require_ours(path, file)
            group = file[part]
            require_stored({name: group[name] for name in ARRAYS})
            labels, lengths, widths, starts = (group[name][:] for name in ARRAYS[1:])
            _require_shapes({name: group[name].shape for name in ARRAYS})
            images = _read_images(group["images"], widths, path.parent)
    except InputError:
        raise
    except (OSError, LookupError, TypeError, ValueError, RuntimeError) as error:  # h5py's, for damaged files
        reraise_shortage(error)
        raise InputError(f"{path}: cannot be read as lines ({in_line(error)}); run `dvc repro synthesize`") from None
    known = labels.max(initial=0) < vocabulary.NUM_CLASSES
    texts = vocabulary.decode_rows(labels) if known else []
    if [len(text) for text in texts] != lengths.tolist():
        raise InputError(f"{path}: labels and lengths of {part!r} disagree; run `dvc repro -f synthesize`")
    return Lines(images, texts, widths, starts)


def _require_shapes(shapes: Mapping[str, tuple[int, ...]]) -> None:
    count, targets = shapes["labels"]
    expected = {"images": (count, CELL, CELL * targets), "labels": (count, targets), "starts": (count, targets)}
    expected |= {"lengths": (count,), "widths": (count,)}
    if wrong := [f"{name} {shapes[name]}" for name in expected if shapes[name] != expected[name]]:
        raise ValueError(f"shapes do not fit labels {shapes['labels']}: {', '.join(wrong)}")


def _read_images(stored: h5py.Dataset, widths: NDArray[np.uint16], folder: Path) -> PackedImages:
    if not 0 < widths.min() <= widths.max() <= stored.shape[2]:
        raise ValueError("widths do not fit the images")
    images = PackedImages(widths, stored.shape[2], folder)
    for start in range(0, len(widths), BLOCK):
        images.append(stored[start : start + BLOCK])
    return images


def read_attributes(path: Path) -> dict[str, Any]:
    """Every setting and name stored with the lines, as plain Python values.

    Raises:
        InputError: the file is absent, damaged, of another version, or lacks what `REQUIRED` names.
    """
    try:
        with h5py.File(path, "r") as file:
            _require_ours(path, file)
            found = {k: v.item() if isinstance(v, np.generic) else v for k, v in file.attrs.items()}
    except InputError:
        raise
    except (OSError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be read as lines ({in_line(error)}); run `dvc repro synthesize`") from None
    if wrong := [name for name, kind in REQUIRED.items() if type(found.get(name)) is not kind]:
        raise InputError(f"{path}: does not say its {', '.join(wrong)}; run `dvc repro -f synthesize`")
    return found


def _require_ours(path: Path, file: h5py.File) -> None:
    expected = {"format": FORMAT, "vocabulary": json.dumps(vocabulary.TOKENS)}
    found = {name: file.attrs.get(name) for name in expected}
    if not all(isinstance(value, str) for value in found.values()) or found != expected:
        raise InputError(f"{path}: not lines of this version and vocabulary; run `dvc repro -f synthesize`")
