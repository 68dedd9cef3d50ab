import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.common.errors import InputError
from pipeline.common.vocabulary import EMNIST_CHARACTERS
from pipeline.data.sources import emnist
from pipeline.data.sources.emnist import read_archive
from pipeline.data.storage.characters import Characters
from tests.archives import emnist_members, idx, make_characters, outcome, write_emnist_archive, write_zip

TRAIN, TEST = make_characters(3, seed=0), make_characters(1, seed=1)
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


def test_deflated_members_and_others_beside_them_are_fine(tmp_path: Path) -> None:
    members = {"gzip/emnist-byclass-mapping.txt": b"0 48\n", "../../outside": b"", **MEMBERS}
    train, _ = read_archive(write_zip(tmp_path / "a.zip", members, zipfile.ZIP_DEFLATED))
    assert_same(train, TRAIN)


@pytest.mark.parametrize("name", MEMBERS)
def test_missing_member_is_named(tmp_path: Path, name: str) -> None:
    members = {key: value for key, value in MEMBERS.items() if key != name}
    assert f"has no member {name}" in refusal(write_zip(tmp_path / "a.zip", members))


@pytest.mark.parametrize("name", MEMBERS)
def test_damaged_gzip_names_its_member(tmp_path: Path, name: str) -> None:
    damaged = {**MEMBERS, name: MEMBERS[name][:-9]}
    assert f"{name}: damaged or not gzip" in refusal(write_zip(tmp_path / "a.zip", damaged))


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        (
            TRAIN_LABELS,
            idx(TRAIN.labels[1:]),
            f"{TRAIN_IMAGES}: 186 images for the 185 labels of {TRAIN_LABELS}",
        ),
        (TEST_IMAGES, idx(TEST.images[:5]), f"{TEST_IMAGES}: 5 images for the 62 labels of {TEST_LABELS}"),
        (TEST_LABELS, idx(TEST.labels + np.uint8(1)), f"{TEST_LABELS}: label 62 is outside 0 to 61"),
        (TEST_LABELS, idx(TEST.images), f"{TEST_LABELS}: begins with 00000803"),
    ],
)
def test_members_that_do_not_fit_are_named(tmp_path: Path, name: str, content: bytes, fault: str) -> None:
    assert fault in refusal(write_zip(tmp_path / "a.zip", {**MEMBERS, name: gzip.compress(content)}))


def test_oversized_member_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emnist, "MAX_MEMBER_BYTES", 1000)
    bomb = {**MEMBERS, TRAIN_LABELS: bytes(1001)}
    path = write_zip(tmp_path / "a.zip", bomb, zipfile.ZIP_DEFLATED)
    assert f"{TRAIN_LABELS}: is 1001 bytes; at most 1000" in refusal(path)


@pytest.mark.parametrize(("method", "number"), [(zipfile.ZIP_BZIP2, 12), (zipfile.ZIP_LZMA, 14)])
def test_other_compression_is_refused(tmp_path: Path, method: int, number: int) -> None:
    path = write_zip(tmp_path / "a.zip", MEMBERS, method)
    assert f"{TRAIN_LABELS}: is compressed by method {number}" in refusal(path)


def patched(path: Path, name: str, offset: int, value: bytes) -> Path:
    """Overwrite bytes of the member's entry in the zip's directory, at `offset` from its signature."""
    data = bytearray(path.read_bytes())
    start = data.rindex(name.encode()) - 46 + offset
    data[start : start + len(value)] = value
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("offset", "value", "fault"),
    [
        (8, b"\x01", "is encrypted"),
        (16, b"\0\0\0\0", "is damaged (Bad CRC-32"),
        (20, b"\x09\0\0\0", "is damaged (Bad CRC-32"),  # the compressed size
        (24, b"\x09\0\0\0", "is damaged (Bad CRC-32"),  # the size
    ],
)
def test_faulty_entry_names_its_member(tmp_path: Path, offset: int, value: bytes, fault: str) -> None:
    path = patched(write_zip(tmp_path / "a.zip", MEMBERS), TEST_LABELS, offset, value)
    assert f"{TEST_LABELS}: {fault}" in refusal(path)


def test_wrong_start_names_its_member(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", MEMBERS)
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo(TEST_LABELS).header_offset
    # Inside its own bytes: Python from 3.11.8 on calls members that overlap a bomb, and names the first of the two.
    patched(path, TEST_LABELS, 42, (start + 1).to_bytes(4, "little"))
    assert f"{TEST_LABELS}: is damaged (Bad magic number" in refusal(path)


@pytest.mark.parametrize(
    "changes",
    [
        {6: b"\xff"},  # a version of the format from the future
        {8: b"\0\x08", 50: b"\xff"},  # a name said to be UTF-8 that is not
    ],
)
def test_unreadable_directory_is_refused(tmp_path: Path, changes: dict[int, bytes]) -> None:
    path = write_zip(tmp_path / "a.zip", MEMBERS)
    for offset, value in changes.items():
        patched(path, TEST_LABELS, offset, value)
    assert "damaged or not a zip archive" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"<!doctype html>", b"PK\x05\x06", b"PK\x03\x04" * 100])
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    assert "damaged or not a zip archive" in refusal(tmp_path / "a.zip")


def test_truncated_archive_is_refused(tmp_path: Path) -> None:
    path = write_emnist_archive(tmp_path / "a.zip", TRAIN, TEST)
    path.write_bytes(path.read_bytes()[:-100])
    assert "damaged or not a zip archive" in refusal(path)


def test_absent_file_and_folder_are_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "absent.zip")
    assert "Is a directory" in refusal(tmp_path)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_emnist_archive(tmp_path_factory.mktemp("fuzz") / "whole.zip", TEST, TEST)


@given(
    changes=st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), max_size=3),
    length=st.one_of(st.none(), st.integers(0, 700)),
)
def test_changed_archive_gives_the_characters_or_an_input_error(
    fuzzed: Path, changes: list[tuple[int, int]], length: int | None
) -> None:
    data = bytearray(fuzzed.read_bytes())
    for distance, value in changes:  # counted from the end, where the zip's directory is
        data[-1 - distance] = value
    path = fuzzed.with_name("changed.zip")
    path.write_bytes(data[:-length] if length else data)
    result = outcome(lambda: read_archive(path))
    if isinstance(result, str):
        assert result.startswith(f"{path}: ")
        assert "\n" not in result
    else:  # what changed was a date, or a field that nobody needs
        for part in result:
            assert_same(part, TEST)


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
