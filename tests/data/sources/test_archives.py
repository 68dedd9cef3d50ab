"""Damaged zip and tar archives: one line that names the archive, or the file in it that was read."""

import gzip
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.common.errors import InputError
from pipeline.data.sources import archives
from pipeline.data.sources.archives import open_archive, open_file
from tests.archives import outcome, write_folder, write_tar, write_zip

MEMBERS = {"a/first": bytes(range(200)), "a/second": b"second" * 100}
LIMIT = 10_000


def read(path: Path) -> dict[str, bytes]:
    """Content of every file by its path."""
    content = {}
    with open_archive(path, "advice") as files:
        for file in files:
            with open_file(file, LIMIT) as stream:
                content[file.path] = stream.read()
    return content


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as error:
        read(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert message.endswith("; advice")
    assert "\n" not in message
    return message


def patched(path: Path, name: str, offset: int, value: bytes) -> Path:
    """Overwrite bytes of the member's entry in the zip's directory, at `offset` from its signature."""
    data = bytearray(path.read_bytes())
    start = data.rindex(name.encode()) - 46 + offset
    data[start : start + len(value)] = value
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("write", [write_zip, write_tar, write_folder])
def test_reads_what_was_written(tmp_path: Path, write: Callable[[Path, dict[str, bytes]], Path]) -> None:
    assert read(write(tmp_path / "a", MEMBERS)) == MEMBERS


@pytest.mark.parametrize(("method", "number"), [(zipfile.ZIP_BZIP2, 12), (zipfile.ZIP_LZMA, 14)])
def test_other_compression_is_refused(tmp_path: Path, method: int, number: int) -> None:
    path = write_zip(tmp_path / "a.zip", MEMBERS, method)
    assert f"a/first: is compressed by method {number}; stored or deflated can be read" in refusal(path)


@pytest.mark.parametrize(
    ("offset", "value", "fault"),
    [
        (8, b"\x01", "is encrypted"),
        (16, b"\0\0\0\0", "is damaged (Bad CRC-32"),
        (20, b"\x09\0\0\0", "is damaged (Bad CRC-32"),  # the compressed size
        (24, b"\x09\0\0\0", "is damaged (Bad CRC-32"),  # the size
        (24, b"\x11\x27\0\0", "is 10001 bytes; at most 10000 can be read"),
    ],
)
def test_faulty_entry_names_its_member(tmp_path: Path, offset: int, value: bytes, fault: str) -> None:
    path = patched(write_zip(tmp_path / "a.zip", MEMBERS), "a/second", offset, value)
    assert f"a/second: {fault}" in refusal(path)


def test_wrong_start_names_its_member(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", MEMBERS)
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("a/second").header_offset
    # Inside its own bytes: Python from 3.11.8 on calls members that overlap a bomb, and names the first of the two.
    patched(path, "a/second", 42, (start + 1).to_bytes(4, "little"))
    assert "a/second: is damaged (Bad magic number" in refusal(path)


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
        patched(path, "a/second", offset, value)
    assert "is damaged (" in refusal(path)


@pytest.mark.parametrize("content", [b"PK\x05\x06", b"PK\x03\x04" * 100])
def test_damaged_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    assert "is damaged (File is not a zip file)" in refusal(tmp_path / "a.zip")


EMPTY_GZIP = gzip.compress(b"", mtime=0)  # the same bytes, and so the same test, in every process


@pytest.mark.parametrize("content", [b"", b"P", b"<!doctype html>", b"7z\xbc\xaf\x27\x1c" * 100, EMPTY_GZIP])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    assert "is damaged, or neither a zip nor a tar archive" in refusal(tmp_path / "a.zip")


def test_truncated_zip_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", MEMBERS)
    path.write_bytes(path.read_bytes()[:-100])
    assert "is damaged (File is not a zip file)" in refusal(path)


def test_tar_cut_anywhere_is_refused(tmp_path: Path) -> None:
    """Also between two members, where a tar has no other sign of what is missing."""
    path = write_tar(tmp_path / "a.tar", MEMBERS)
    data = path.read_bytes()
    with tarfile.open(path) as archive:
        end = archive.getmember("a/second").offset_data + 1024
    for length in range(0, end + 500, 100):
        path.write_bytes(data[:length])
        assert "is damaged" in refusal(path)
    path.write_bytes(data[: end + 512])
    assert read(path) == MEMBERS


def test_damaged_header_in_a_tar_is_not_its_end(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", MEMBERS)
    path.write_bytes(path.read_bytes().replace(b"a/second", b"a/Second"))
    assert "is damaged (it ends too early, or a header in it is damaged)" in refusal(path)


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("places", [[-5], [-1], [100], [40, 41]])
def test_damage_of_a_compressed_tar_is_found_before_anything_is_read(
    tmp_path: Path, mode: Literal["w:gz", "w:bz2", "w:xz"], places: list[int]
) -> None:
    path = write_tar(tmp_path / "a", MEMBERS, mode)
    data = bytearray(path.read_bytes())
    for place in places:
        data[place] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InputError, match="is damaged"), open_archive(path, "advice"):
        pytest.fail("it was opened")


def test_only_regular_files_of_a_tar_are_read(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, kind in (("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("fifo", tarfile.FIFOTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    assert read(tmp_path / "a.tar") == {}


def test_only_regular_files_of_a_folder_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "broken").symlink_to("nowhere")
    (tmp_path / "file").write_bytes(b"content")
    assert read(tmp_path) == {"file": b"content"}


def test_absent_file_is_refused(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in refusal(tmp_path / "absent.zip")


def test_number_of_files_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_FILES", 1)
    for path in (write_zip(tmp_path / "a", MEMBERS), write_tar(tmp_path / "b", MEMBERS), write_folder(tmp_path, {})):
        assert "has more than 1 files" in refusal(path)


@pytest.fixture(scope="module", params=["zip", "tar", "tar.gz"])
def fuzzed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fuzz") / f"whole.{request.param}"
    if request.param == "zip":
        return write_zip(path, MEMBERS, zipfile.ZIP_DEFLATED)
    return write_tar(path, MEMBERS, "w" if request.param == "tar" else "w:gz")


@given(data=st.data())
def test_changed_archive_gives_the_files_or_an_input_error(fuzzed: Path, data: st.DataObject) -> None:
    content = bytearray(fuzzed.read_bytes())
    places = st.integers(0, len(content) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=3)):
        content[place] = value
    path = fuzzed.with_name("changed")
    path.write_bytes(content[: data.draw(st.one_of(st.none(), places))])
    result = outcome(lambda: read(path))
    if isinstance(result, str):
        assert result.startswith(f"{path}: ")
        assert "\n" not in result
    elif fuzzed.suffix != ".tar":  # a tar has no checksum of its content
        assert set(result.values()) <= set(MEMBERS.values())
