"""Small archives in the layouts of NIST and of NLTK, to be spoilt."""

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


def zipped(members: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return stream.getvalue()


def idx(array: NDArray[np.uint8], *, declared: tuple[int, ...] | None = None, kind: int = 8) -> bytes:
    """Gzip-compressed IDX, whose header may declare another shape."""
    shape = declared or array.shape
    return gzip.compress(struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape) + array.tobytes(), mtime=0)


def emnist() -> dict[str, bytes]:
    """The members of an archive of four images of each class for training and two for test."""
    members = {}
    for part, count in (("train", 4), ("test", 2)):
        drawn = draw_glyphs(count, np.random.default_rng(count))
        images, labels = MEMBERS[part]
        members[images], members[labels] = idx(drawn.images.transpose(0, 2, 1)), idx(drawn.labels)
    return members


def brown() -> dict[str, bytes]:
    """The members of an archive of ten documents."""
    text = " ".join(f"{word}/nn" for word in WORDS.split()).encode()
    return {f"brown/ca{number:02}": text for number in range(1, 11)}
