"""Small archives in the layout of NIST's `gzip.zip`, for tests of whatever reads them."""

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.common.errors import InputError
from pipeline.data.storage.characters import Characters

Result = TypeVar("Result")


def outcome(read: Callable[[], Result]) -> Result | str:
    """What `read` returns, or the line of its `InputError`; anything else that it raises is a fault."""
    try:
        return read()
    except InputError as error:
        return str(error)


def make_characters(per_class: int, seed: int) -> Characters:
    """`per_class` images of noise for each of the 62 labels, in order."""
    labels = np.repeat(np.arange(62, dtype=np.uint8), per_class)
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), 28, 28), dtype=np.uint8)
    return Characters(images, labels)


def idx(array: NDArray[np.uint8]) -> bytes:
    """The array as uncompressed IDX."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def emnist_files(train: Characters, test: Characters) -> dict[str, bytes]:
    """EMNIST's four IDX files by name; images are stored transposed, as EMNIST's are."""
    files = {}
    for part, characters in (("train", train), ("test", test)):
        files[f"emnist-byclass-{part}-images-idx3-ubyte"] = idx(characters.images.transpose(0, 2, 1))
        files[f"emnist-byclass-{part}-labels-idx1-ubyte"] = idx(characters.labels)
    return files


def emnist_members(train: Characters, test: Characters) -> dict[str, bytes]:
    """The official archive's four members by name."""
    files = emnist_files(train, test)
    return {f"gzip/{name}.gz": gzip.compress(content, mtime=0) for name, content in files.items()}


def write_zip(path: Path, members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """Write the members with a fixed date, so that the same members give the same bytes."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return path


def write_tar(path: Path, members: Mapping[str, bytes], mode: Literal["w", "w:gz", "w:bz2", "w:xz"] = "w") -> Path:
    """Write the members as regular files."""
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def write_folder(path: Path, members: Mapping[str, bytes]) -> Path:
    """Write the members as files of a folder."""
    for name, data in members.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return path


def write_emnist_archive(path: Path, train: Characters, test: Characters) -> Path:
    """Write an archive that `read_archive` reads as `train` and `test`."""
    return write_zip(path, emnist_members(train, test))
