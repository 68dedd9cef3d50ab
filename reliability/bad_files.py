"""Bad archives, texts, HDF5 files and checkpoints."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np
import torch

from pipeline.data.sources.emnist import MEMBERS
from reliability import archives
from reliability.archives import make_idx, make_zip
from reliability.cases import DIRECTORY, Case
from reliability.workspaces import EXPERIMENT, LINES

IMAGES, LABELS = MEMBERS["train"]
ACCEPTED = {("checkpoints to load", "of a shorter length")}
"""Cases that must be accepted: weights do not depend on the length of lines."""
NAMED = {
    ("corpora", "of one document"): "corpus: 1 documents",
    ("corpora", "of no words"): "corpus: no word",
    ("corpora", "of punctuation alone"): "corpus: no word",
    ("corpus.json", "of words too long"): "lines: no word",
    ("corpus.json", "of an empty part"): "lines: no word",
}
"""What the error must name if the file itself is valid."""
SETTINGS: Mapping[str, Mapping[str, object]] = {
    "archives": {"emnist.source": "archive", "emnist.archive": "emnist.zip"},
    "corpora": {"corpus.source": "archive", "corpus.archive": "brown.zip"},
}
"""Settings with which the stage reads the archive."""
HTML = b"<!DOCTYPE html><html><body>404</body></html>"


def file_cases(root: Path) -> Iterator[Case]:
    """Yield the cases for the stages that read files."""
    files = {
        "archives": ("download", "emnist.zip", make_zip(archives.emnist())),
        "corpora": ("corpus", "brown.zip", make_zip(archives.brown())),
        "corpus.json": (f"synthesize {LINES}", "data/corpus.json", b""),
        "characters": (f"synthesize {LINES}", "data/characters.h5", b""),
        "lines": (f"train {EXPERIMENT}", f"data/lines/{LINES}.h5", b""),
        "test lines": (f"evaluate {EXPERIMENT}", f"data/lines/{LINES}.h5", b""),
        "checkpoints": (f"evaluate {EXPERIMENT}", f"models/{EXPERIMENT}/seed_42.ckpt", b""),
        "checkpoints to load": (f"train {EXPERIMENT} --load models/other.ckpt", "models/other.ckpt", b""),
    }
    faults = {
        "archives": archive_faults,
        "corpora": corpus_faults,
        "corpus.json": text_faults,
        "characters": character_faults,
    }
    faults |= {"lines": lambda good: line_faults(good, "train"), "test lines": lambda good: line_faults(good, "test")}
    faults |= {"checkpoints": checkpoint_faults, "checkpoints to load": checkpoint_faults}
    for kind, (stage, path, content) in files.items():
        source = f"models/{EXPERIMENT}/seed_42.ckpt" if path == "models/other.ckpt" else path
        good = content or (root / source).read_bytes()
        for name, bad in {**damages(good), **faults[kind](good)}.items():
            if (kind, name) in ACCEPTED:
                continue
            named = NAMED.get((kind, name), "")
            yield Case(kind, name, stage, path, bad, named, SETTINGS.get(kind, {}))


def damages(good: bytes) -> dict[str, bytes | None]:
    """Make damages that can happen to any file."""
    cut = {
        f"cut after {share:.0%}": good[: int(len(good) * share)] for share in (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
    }
    return {
        "absent": None,
        "a directory": DIRECTORY,
        "empty": b"",
        "text": b"hello\n",
        "a web page": HTML,
        "zeros": bytes(len(good)),
        "a lost beginning": good[100:],
        "a beginning of zeros": bytes(64) + good[64:],
        "noise": np.random.default_rng(0).bytes(len(good)),
        **cut,
    }


def archive_faults(good: bytes) -> dict[str, bytes]:
    """Make zip files that are not EMNIST."""
    members = archives.emnist()
    images = np.zeros((62 * 4, 28, 28), np.uint8)
    labels = np.repeat(np.arange(62, dtype=np.uint8), 4)
    changed: dict[str, dict[str, bytes]] = {
        "of 2^31 images": {IMAGES: make_idx(images, declared=(2**31, 28, 28))},
        "of 2^31 labels": {LABELS: make_idx(labels, declared=(2**31,))},
        "of images too large": {IMAGES: make_idx(images, declared=(248, 2**16, 2**16))},
        "of fewer images than declared": {IMAGES: make_idx(images[:9], declared=(248, 28, 28))},
        "of more images than declared": {IMAGES: make_idx(images, declared=(9, 28, 28))},
        "of other numbers of images and labels": {IMAGES: make_idx(images[:9])},
        "of no images": {IMAGES: make_idx(images[:0]), LABELS: make_idx(labels[:0])},
        "of a label 62": {LABELS: make_idx(labels + 1)},
        "of floats": {IMAGES: make_idx(images, kind=13)},
        "of two dimensions": {IMAGES: make_idx(images.reshape(248, 784))},
        "with images for labels": {LABELS: make_idx(images)},
        "without gzip": {IMAGES: images.tobytes()},
        "with a cut member": {IMAGES: members[IMAGES][:-20]},
        "with a damaged member": {IMAGES: members[IMAGES][:500] + bytes(50) + members[IMAGES][550:]},
        "with more after a member": {LABELS: members[LABELS] + b"more"},
        "that is a bomb": {IMAGES: make_idx(np.zeros((200_000, 28, 28), np.uint8), declared=(9, 28, 28))},
        "of one class": {LABELS: make_idx(labels * 0)},
        "of another split": {LABELS: make_idx(labels % np.uint8(47))},
    }
    cases = {name: make_zip({**members, **change}) for name, change in changed.items()}
    cases |= {f"without {name}": make_zip({n: c for n, c in members.items() if n != name}) for name in members}
    cases["of no members"] = make_zip({})
    cases["compressed by bzip2"] = make_zip(members, zipfile.ZIP_BZIP2)
    cases["compressed by LZMA"] = make_zip(members, zipfile.ZIP_LZMA)
    cases["encrypted"] = encrypt(good)
    return cases


def corpus_faults(good: bytes) -> dict[str, bytes]:
    """Make zip files that are not Brown."""
    members = archives.brown()
    return {
        "of no members": make_zip({}),
        "of one document": make_zip({"brown/ca01": members["brown/ca01"]}),
        "without tags": make_zip(dict.fromkeys(members, b"the jury said")),
        "of no words": make_zip(dict.fromkeys(members, b"")),
        "of punctuation alone": make_zip(dict.fromkeys(members, b"./. ,/,")),
        "of no ASCII": make_zip({**members, "brown/ca01": "Jürgen/np".encode()}),
        "that is a bomb": make_zip({**members, "brown/ca01": bytes(2**27)}),
        "compressed by bzip2": make_zip(members, zipfile.ZIP_BZIP2),
        "encrypted": encrypt(good),
    }


def encrypt(archive: bytes) -> bytes:
    """Mark every member of the archive as encrypted."""
    data = bytearray(archive)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.find(mark)
        while start >= 0:
            data[start + offset] |= 1
            start = data.find(mark, start + 4)
    return bytes(data)


def text_faults(good: bytes) -> dict[str, bytes]:
    """Make JSON files that are not a corpus."""
    content = json.loads(good)
    changed: dict[str, object] = {
        "a list": [],
        "a number": 5,
        "of no part": {**content, "text": {}},
        "of a part that is no text": {**content, "text": {**content["text"], "train": 5}},
        "of words too long": {**content, "text": dict.fromkeys(content["text"], "a" * 99)},
        "of an empty part": {**content, "text": {**content["text"], "test": ""}},
        "of characters without images": {**content, "text": dict.fromkeys(content["text"], "a! b?")},
        **{f"without {key}": {k: v for k, v in content.items() if k != key} for key in content},
    }
    return {name: json.dumps(value).encode() for name, value in changed.items()} | {"in brackets": b"[" * 100_000}


def character_faults(good: bytes) -> dict[str, bytes]:
    """Make HDF5 files that are not valid characters."""
    return hdf5_faults(good, "train", {"images": (2**31, 28, 28), "labels": (2**31,)}) | {
        "of a label 255": edited(good, lambda file: file["train/labels"].__setitem__(0, 255)),
        "of images too small": edited(good, lambda file: replace(file, "train/images", np.zeros((248, 27, 27), "u1"))),
        "without attributes": edited(good, lambda file: [file.attrs.pop(name) for name in list(file.attrs)]),
    }


def line_faults(good: bytes, part: str) -> dict[str, bytes]:
    """Make HDF5 files that are not valid lines of this version."""
    arrays = {
        "images": (2**31, 28, 224),
        "labels": (2**31, 8),
        "starts": (2**31, 8),
        "widths": (2**31,),
        "lengths": (2**31,),
    }
    cases = hdf5_faults(good, part, arrays)
    for name in ("format", "vocabulary"):
        cases[f"of another {name}"] = edited(good, lambda file, name=name: file.attrs.__setitem__(name, "other"))
        cases[f"with a number for {name}"] = edited(good, lambda file, name=name: file.attrs.__setitem__(name, 5))
    for name, value in (("labels", 255), ("labels", 3), ("lengths", 1), ("widths", 0), ("widths", 60_000)):
        cases[f"with {name} {value}"] = edited(
            good, lambda file, n=name, v=value: file[f"{part}/{n}"].__setitem__(0, v)
        )
    if part == "train":
        for name in ("max_length", "with_start_end_tokens"):
            cases[f"without {name}"] = edited(good, lambda file, name=name: file.attrs.pop(name))
            cases[f"with text for {name}"] = edited(good, lambda file, name=name: file.attrs.__setitem__(name, "many"))
    return cases


def hdf5_faults(good: bytes, part: str, arrays: Mapping[str, tuple[int, ...]]) -> dict[str, bytes]:
    """Make HDF5 files whose arrays are absent, of another kind, or declared without content."""
    cases = {f"without {part}": edited(good, lambda file: file.__delitem__(part))}
    for name, declared in arrays.items():
        path = f"{part}/{name}"
        cases |= {
            f"without {name}": edited(good, lambda file, path=path: file.__delitem__(path)),
            f"of 2^31 {name}": edited(good, lambda file, p=path, d=declared: declare(file, p, d)),
            f"of a group {name}": edited(good, lambda file, path=path: replace(file, path, None)),
            f"of text for {name}": edited(good, lambda file, path=path: replace(file, path, "text")),
            f"of one number for {name}": edited(good, lambda file, path=path: replace(file, path, np.uint8(1))),
            f"of floats for {name}": edited(good, lambda file, path=path: replace(file, path, file[path][:] * 1.5)),
            f"of one less {name}": edited(good, lambda file, path=path: replace(file, path, file[path][1:])),
        }
    return cases


def edited(good: bytes, change: Callable[[h5py.File], object]) -> bytes:
    """The HDF5 file after a change."""
    stream = io.BytesIO(good)
    with h5py.File(stream, "r+") as file:
        change(file)
    return stream.getvalue()


def replace(file: h5py.File, path: str, value: object) -> None:
    """Replace an array by another value, or by a group if `value` is None."""
    del file[path]
    if value is None:
        file.create_group(path)
    else:
        file[path] = value


def declare(file: h5py.File, path: str, shape: tuple[int, ...]) -> None:
    """Replace an array by one of this shape without content."""
    chunks = (64, *shape[1:])
    del file[path]
    file.create_dataset(path, shape, "u1", chunks=chunks)


def checkpoint_faults(good: bytes) -> dict[str, bytes]:
    """Make files that `torch.load` can open, but that are not valid checkpoints of this version."""
    content = torch.load(io.BytesIO(good), weights_only=True)
    weights, first = content["weights"], next(iter(content["weights"]))
    changed: dict[str, object] = {
        "that is a list": [1],
        "that is a tensor": torch.zeros(3),
        "that runs code": {**content, "format": _Runs()},
        "of another version": {**content, "format": "emnist-lines-checkpoint/0"},
        "of another vocabulary": {**content, "vocabulary": content["vocabulary"][::-1]},
        "of a model that is none": {**content, "model": {**content["model"], "name": "line_rnn"}},
        "of a model without a name": {**content, "model": {}},
        "of a loss that is none": {**content, "loss": "ctx"},
        "of a huge model": {**content, "model": {**content["model"], "conv_dim": 65_536, "fc_dim": 65_536}},
        "of another size": {**content, "model": {**content["model"], "fc_dim": 9}},
        "of a shorter length": {**content, "max_length": 4},
        "of no length": {**content, "max_length": 0},
        "of a length that is text": {**content, "max_length": "many"},
        "of 2^31 targets": {**content, "max_length": 2**31},
        "of a wrap that is none": {**content, "wrap": None},
        "with a weight too few": {**content, "weights": {k: v for k, v in weights.items() if k != first}},
        "with a weight too many": {**content, "weights": {**weights, "more": torch.zeros(3)}},
        "with weights of another shape": {**content, "weights": {**weights, first: torch.zeros(3)}},
        "with weights that are numbers": {**content, "weights": {**weights, first: 5}},
        "with weights that are no numbers": {**content, "weights": {**weights, first: weights[first] * float("nan")}},
        **{f"without {key}": {k: v for k, v in content.items() if k != key} for key in content},
    }
    cases = {}
    for name, value in changed.items():
        stream = io.BytesIO()
        torch.save(value, stream)
        cases[name] = stream.getvalue()
    return cases


class _Runs:
    """An object whose code an unsafe loader would run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code of a checkpoint has run",)
