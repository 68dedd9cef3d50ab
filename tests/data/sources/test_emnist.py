import gzip
import zipfile
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from pipeline.common.errors import InputError
from pipeline.common.files import file_sha256
from pipeline.common.vocabulary import EMNIST_CHARACTERS
from pipeline.data.sources import emnist
from pipeline.data.sources.emnist import load_archive, read_archive
from pipeline.data.storage.characters import Characters
from pipeline.settings.base import read_params
from pipeline.settings.sources import EmnistSettings
from tests.archives import (
    emnist_files,
    emnist_members,
    idx,
    make_characters,
    write_emnist_archive,
    write_folder,
    write_tar,
    write_zip,
)
from tests.imports import ROOT

TRAIN, TEST = make_characters(3, seed=0), make_characters(1, seed=1)
FILES = emnist_files(TRAIN, TEST)
MEMBERS = emnist_members(TRAIN, TEST)
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = MEMBERS
RESPLIT = Path(__file__).parents[3] / "../shared/data/emnist/emnist-byclass-resplit.zip"


def assert_same(read: Characters, written: Characters) -> None:
    np.testing.assert_array_equal(read.images, written.images)
    np.testing.assert_array_equal(read.labels, written.labels)


def refusal(path: Path) -> str:
    """The one line that refuses the archive, which names it and says what is needed."""
    with pytest.raises(InputError) as error:
        read_archive(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert message.endswith(emnist.ADVICE)
    assert "\n" not in message
    return message


def test_reads_upright_characters_and_extracts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emnist, "BLOCK", 10)
    path = write_emnist_archive(tmp_path / "own.zip", TRAIN, TEST)
    train, test = read_archive(path)
    assert_same(train, TRAIN)
    assert_same(test, TEST)
    assert train.images.flags.c_contiguous
    assert list(tmp_path.iterdir()) == [path]


WRAPPINGS = {
    "as NIST's": MEMBERS,
    "at the root, not compressed": FILES,
    "deep": {f"a/b c/{name}.gz": gzip.compress(content) for name, content in FILES.items()},
    "with backslashes": {f"raw\\byclass\\{name}": content for name, content in FILES.items()},
    "in capitals": {name.upper(): content for name, content in FILES.items()},
    "with a name that says otherwise": {f"{name}.gz": content for name, content in FILES.items()},
    "with paths that lead outside": {f"../../{name}": content for name, content in FILES.items()},
    "with absolute paths": {f"/{name}": content for name, content in FILES.items()},
    "with what macOS adds": {
        **MEMBERS,
        **{f"__MACOSX/gzip/._{name.removeprefix('gzip/')}": b"Mac OS X" for name in MEMBERS},
        **{f"__MACOSX/{name}": b"Mac OS X" for name in MEMBERS},
    },
    "with other splits": {**FILES, "emnist-letters-train-labels-idx1-ubyte": b"", "gzip.zip": b"PK"},
}


@pytest.mark.parametrize("members", WRAPPINGS.values(), ids=WRAPPINGS)
def test_every_wrapping_in_a_zip_or_tar_is_read(tmp_path: Path, members: dict[str, bytes]) -> None:
    paths = [write_zip(tmp_path / "a", members, zipfile.ZIP_DEFLATED), write_tar(tmp_path / "b", members)]
    for path in paths:
        for read, written in zip(read_archive(path), (TRAIN, TEST), strict=True):
            assert_same(read, written)
    assert sorted(tmp_path.iterdir()) == paths


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_compressed_tar_is_read(tmp_path: Path, mode: Literal["w:gz", "w:bz2", "w:xz"]) -> None:
    train, test = read_archive(write_tar(tmp_path / "own", FILES, mode))
    assert_same(train, TRAIN)
    assert_same(test, TEST)


@pytest.mark.parametrize("name", sorted(WRAPPINGS.keys() - {"with paths that lead outside", "with absolute paths"}))
def test_every_wrapping_in_a_folder_is_read(tmp_path: Path, name: str) -> None:
    for read, written in zip(read_archive(write_folder(tmp_path, WRAPPINGS[name])), (TRAIN, TEST), strict=True):
        assert_same(read, written)


@pytest.mark.parametrize("name", MEMBERS)
def test_missing_file_is_named_and_what_is_there_instead(tmp_path: Path, name: str) -> None:
    members = {key: value for key, value in MEMBERS.items() if key != name}
    plain = name.removeprefix("gzip/").removesuffix(".gz")
    refused = refusal(write_zip(tmp_path / "a.zip", members))
    assert f"has no file {plain} or {plain}.gz, but {', '.join(members)};" in refused


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ({}, "as it is empty"),
        ({"matlab/emnist-byclass.mat": b""}, "but matlab/emnist-byclass.mat;"),
        ({f"{n}.csv": b"" for n in "abcd"}, "but a.csv, b.csv, c.csv and others;"),
        ({"a.txt": b"", "sub/gzip.zip": b"PK"}, "but another archive, sub/gzip.zip, which must be unpacked first;"),
        ({"all.tar.gz": b""}, "but another archive, all.tar.gz, which"),
        ({"line\nbreak\x1b": b""}, "but line�break�;"),
    ],
)
def test_archive_of_something_else_is_described(tmp_path: Path, members: dict[str, bytes], fault: str) -> None:
    for path in (write_zip(tmp_path / "a.zip", members), write_tar(tmp_path / "a.tar", members)):
        assert f"emnist-byclass-train-images-idx3-ubyte.gz, {fault}" in refusal(path)


@pytest.mark.parametrize("double", ["old/emnist-byclass-test-labels-idx1-ubyte", TEST_LABELS.removeprefix("gzip/")])
def test_two_files_of_one_name_are_refused(tmp_path: Path, double: str) -> None:
    members = {**MEMBERS, double: MEMBERS[TEST_LABELS]}
    for path in (
        write_zip(tmp_path / "a.zip", members),
        write_tar(tmp_path / "a.tar", members),
        write_folder(tmp_path / "a", members),
    ):
        line = refusal(path)
        assert "has two files emnist-byclass-test-labels-idx1-ubyte: " in line
        assert TEST_LABELS in line
        assert double in line


@pytest.mark.parametrize("name", MEMBERS)
def test_damaged_gzip_names_its_member(tmp_path: Path, name: str) -> None:
    damaged = {**MEMBERS, name: MEMBERS[name][:-9]}
    assert f"{name}: is damaged (" in refusal(write_zip(tmp_path / "a.zip", damaged))


@pytest.mark.parametrize("name", FILES)
def test_cut_file_is_named(tmp_path: Path, name: str) -> None:
    cut = {**FILES, name: FILES[name][:-1]}
    paths = (
        write_zip(tmp_path / "a.zip", cut),
        write_tar(tmp_path / "a.tgz", cut, "w:gz"),
        write_folder(tmp_path / "a", cut),
    )
    for path in paths:
        assert f"{name}: has {len(cut[name]) - (16 if 'images' in name else 8)} bytes of data where" in refusal(path)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        (
            TRAIN_LABELS,
            idx(TRAIN.labels[1:]),
            f"{TRAIN_IMAGES}: 186 images for the 185 labels of {TRAIN_LABELS}",
        ),
        (TEST_IMAGES, idx(TEST.images[:5]), f"{TEST_IMAGES}: 5 images for the 62 labels of {TEST_LABELS}"),
        (TEST_LABELS, idx(TEST.images), f"{TEST_LABELS}: begins with 00000803"),
        (TEST_IMAGES, idx(TEST.images[:, 1:]), f"{TEST_IMAGES}: declares items of 27x28 pixels instead of 28x28"),
    ],
)
def test_members_that_do_not_fit_are_named(tmp_path: Path, name: str, content: bytes, fault: str) -> None:
    assert fault in refusal(write_zip(tmp_path / "a.zip", {**MEMBERS, name: gzip.compress(content)}))


@pytest.mark.parametrize("name", [TRAIN_LABELS, TEST_LABELS])
@pytest.mark.parametrize(
    ("labels", "fault"),
    [
        (range(1, 27), "has labels 1 to 26, as EMNIST Letters has; ByClass has 0 to 61"),
        (range(10), "has labels 0 to 9, as EMNIST Digits or MNIST has; ByClass has 0 to 61"),
        (range(47), "has labels 0 to 46, as EMNIST Balanced or ByMerge has; ByClass has 0 to 61"),
        (range(63), "label 62 is outside 0 to 61"),
        (range(256), "label 255 is outside 0 to 61"),
        ([*range(5), *range(6, 60)], "has no label 5, 60, 61; each of 0 to 61 is needed"),
    ],
)
def test_other_splits_are_told_by_their_labels(
    tmp_path: Path, name: str, labels: range, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emnist, "_read_images", lambda *_: pytest.fail("images are read before all labels"))
    content = np.resize(np.array(labels, np.uint8), 500)
    path = write_zip(tmp_path / "a.zip", {**MEMBERS, name: gzip.compress(idx(content))})
    assert f"{name}: {fault}" in refusal(path)


def test_oversized_member_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emnist, "MAX_FILE_BYTES", 1000)
    bomb = {**MEMBERS, TRAIN_LABELS: bytes(1001)}
    path = write_zip(tmp_path / "a.zip", bomb, zipfile.ZIP_DEFLATED)
    assert f"{TRAIN_LABELS}: is 1001 bytes; at most 1000" in refusal(path)


def name_of(path: Path, **changes: object) -> str:
    settings = {**read_params(ROOT / "params.yaml")["emnist"], "source": "archive", "archive": str(path), **changes}
    return load_archive(EmnistSettings.model_validate(settings), path.parent).name


def test_the_pinned_hash_makes_an_archive_official(tmp_path: Path) -> None:
    path = write_emnist_archive(tmp_path / "a.zip", TRAIN, TEST)
    assert name_of(path) == "EMNIST ByClass re-split (186 train characters)"
    nist = {**read_params(ROOT / "params.yaml")["emnist"]["nist"], "sha256": file_sha256(path)}
    assert name_of(path, nist=nist) == "EMNIST ByClass (186 train characters)"


def test_all_counts_make_a_folder_official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_folder(tmp_path, FILES)
    # 62 classes with 3 and 1 characters, of which 10 are digits, 26 capitals and 26 small letters.
    counts = (186, 62, 40, 104, 104)
    monkeypatch.setattr(emnist, "OFFICIAL_COUNTS", counts)
    assert name_of(path) == "EMNIST ByClass (186 train characters)"
    for place in range(5):
        monkeypatch.setattr(emnist, "OFFICIAL_COUNTS", (*counts[:place], counts[place] + 1, *counts[place + 1 :]))
        assert name_of(path) == "EMNIST ByClass re-split (186 train characters)"


def test_published_counts_add_up() -> None:
    train, test, *kinds = emnist.OFFICIAL_COUNTS
    assert train + test == sum(kinds) == 814_255


def test_a_folder_has_the_hash_of_its_characters(tmp_path: Path) -> None:
    settings = {**read_params(ROOT / "params.yaml")["emnist"], "source": "archive"}

    def sha256(path: Path) -> str:
        return load_archive(EmnistSettings.model_validate({**settings, "archive": str(path)}), tmp_path).sha256

    folders = [write_folder(tmp_path / str(n), members) for n, members in enumerate((FILES, MEMBERS))]
    assert sha256(folders[0]) == sha256(folders[1])
    labels = tmp_path / "0" / "emnist-byclass-test-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:8] + bytes(TEST.labels[::-1]))
    assert sha256(folders[0]) != sha256(folders[1])


@pytest.mark.skipif(not RESPLIT.is_file(), reason="the archive of real characters is not beside the repository")
def test_real_archive_is_read_upright() -> None:
    train, test = read_archive(RESPLIT)
    assert (len(train), len(test)) == (81_423, 17_450)
    assert train.images.shape == (81_423, 28, 28)
    for part in (train, test):
        assert np.unique(part.labels).tolist() == list(range(62))
        rows, columns = ink(part, "L", axis=1), ink(part, "L", axis=0)
        assert rows[14:].sum() > 1.5 * rows[:14].sum()
        assert columns[:14].sum() > columns[14:].sum()
        assert ink(part, "T", axis=1)[:14].sum() > 1.2 * ink(part, "T", axis=1)[14:].sum()
        # A 1 is a narrow column: it has ink in most rows and in few columns.
        assert np.std(ink(part, "1", axis=0)) > 2 * np.std(ink(part, "1", axis=1))


def ink(characters: Characters, name: str, axis: int) -> np.ndarray:
    """Mean ink of one class by column (`axis` 0) or by row (1)."""
    images = characters.images[characters.labels == EMNIST_CHARACTERS.index(name)]
    return np.asarray(images.mean(axis=0).mean(axis=axis))
