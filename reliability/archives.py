"""Small archives in the layouts of NIST and NLTK, to be damaged."""

import gzip
import io
import struct
import zipfile
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.data.sources.emnist import MEMBERS
from pipeline.data.sources.glyphs import draw_glyphs

WORDS = "the jury said on Friday an investigation of the election produced no evidence"


def make_zip(members: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Make a zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return stream.getvalue()


def make_idx(array: NDArray[np.uint8], *, declared: tuple[int, ...] | None = None, kind: int = 8) -> bytes:
    """Make a gzip-compressed IDX file. Its header can declare another shape than the array has."""
    shape = declared or array.shape
    return gzip.compress(struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape) + array.tobytes(), mtime=0)


def emnist() -> dict[str, bytes]:
    """Make the members of an archive with four training images and two test images of each class."""
    members = {}
    for part, count in (("train", 4), ("test", 2)):
        drawn = draw_glyphs(count, np.random.default_rng(count))
        images, labels = MEMBERS[part]
        members[images], members[labels] = make_idx(drawn.images.transpose(0, 2, 1)), make_idx(drawn.labels)
    return members


def brown() -> dict[str, bytes]:
    """Make the members of an archive with ten documents."""
    text = " ".join(f"{word}/nn" for word in WORDS.split()).encode()
    return {f"brown/ca{number:02}": text for number in range(1, 11)}
