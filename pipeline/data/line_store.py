"""`data/lines/<name>.h5`: synthetic lines with all that is known of them."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline import vocabulary
from pipeline.data.lines import Lines
from pipeline.data.packed import PackedImages
from pipeline.data.stored import require_stored
from pipeline.errors import InputError, reraise_shortage
from pipeline.geometry import CELL

FORMAT = "emnist-lines/1"
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
            images = _read_images(group["images"], widths, path.parent)
    except InputError:
        raise
    except (OSError, LookupError, TypeError, ValueError, RuntimeError) as error:  # h5py's, for damaged files
        reraise_shortage(error)
        raise InputError(f"{path}: cannot be read as lines ({error}); run `dvc repro synthesize`") from None
    known = labels.max(initial=0) < vocabulary.NUM_CLASSES
    texts = [vocabulary.decode(row) for row in labels] if known else []
    if [len(text) for text in texts] != lengths.tolist():
        raise InputError(f"{path}: labels and lengths of {part!r} disagree; run `dvc repro -f synthesize`")
    return Lines(images, texts, widths, starts)


def _read_images(stored: h5py.Dataset, widths: NDArray[np.uint16], folder: Path) -> PackedImages:
    if stored.shape[1:] != (CELL, stored.shape[2]) or not 0 < widths.min() <= widths.max() <= stored.shape[2]:
        raise ValueError("widths do not fit the images")
    images = PackedImages(widths, stored.shape[2], folder)
    for start in range(0, len(widths), BLOCK):
        images.append(stored[start : start + BLOCK])
    return images


def read_attributes(path: Path) -> dict[str, Any]:
    """Every setting and name stored with the lines, as plain Python values."""
    try:
        with h5py.File(path, "r") as file:
            _require_ours(path, file)
            return {k: v.item() if isinstance(v, np.generic) else v for k, v in file.attrs.items()}
    except OSError as error:
        raise InputError(f"{path}: cannot be read as lines ({error}); run `dvc repro synthesize`") from None


def _require_ours(path: Path, file: h5py.File) -> None:
    if file.attrs.get("format") != FORMAT or file.attrs.get("vocabulary") != json.dumps(vocabulary.TOKENS):
        raise InputError(f"{path}: not lines of this version and vocabulary; run `dvc repro -f synthesize`")
