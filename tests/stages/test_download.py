import gzip
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.common.files import file_md5, file_sha256
from pipeline.data.sources.emnist import ARCHIVE_HINT, HINT
from pipeline.data.storage.characters import describe_source, read_characters
from pipeline.settings.base import NO_FILE
from tests.archives import make_characters, write_emnist_archive
from tests.projects import Project
from tests.web import Web, status, whole

TRAIN, TEST = make_characters(4, seed=0), make_characters(2, seed=1)
OUTPUT = Path("data/characters.h5")
REAL = Path(__file__).parents[2] / "../shared/data/emnist/emnist-byclass-resplit.zip"


@pytest.fixture
def archive(project: Project) -> Path:
    (project.root / "mine").mkdir()
    return write_emnist_archive(project.root / "mine" / "own.zip", TRAIN, TEST)


def use(project: Project, archive: Path | str, sha256: str | None = None) -> None:
    key = "url" if "://" in str(archive) else "archive"
    project.change(emnist={"source": "archive", "archive": NO_FILE, "url": None, key: str(archive), "sha256": sha256})


def images(part: str) -> set[bytes]:
    return {image.tobytes() for image in read_characters(OUTPUT, part).images}


def assert_own_characters(archive: Path, source: str = "archive", kind: str = " re-split") -> None:
    """The output has all the archive's characters: of each class 3 to train and 1 to validate, and the test's."""
    train, validation, test = (read_characters(OUTPUT, part) for part in ("train", "validation", "test"))
    for part, count in ((train, 3), (validation, 1), (test, 2)):
        assert np.bincount(part.labels).tolist() == [count] * 62
    label_of = {image.tobytes(): label for image, label in zip(TRAIN.images, TRAIN.labels, strict=True)}
    for part in (train, validation):
        assert [label_of[image.tobytes()] for image in part.images] == part.labels.tolist()
    assert images("train") | images("validation") == set(label_of)
    np.testing.assert_array_equal(test.images, TEST.images)
    assert describe_source(OUTPUT) == {
        "data": f"EMNIST ByClass{kind} (248 train characters)",
        "source": source,
        "sha256": file_sha256(archive),
        "seed": 42,
    }


def test_an_archive_by_its_path_from_the_root(project: Project, archive: Path) -> None:
    use(project, "mine/own.zip", file_sha256(archive))
    assert project.run("download") == (
        "download: EMNIST ByClass re-split (248 train characters): 186 train, 62 validation, 124 test\n"
    )
    assert_own_characters(archive)


def test_a_temporary_copy_uses_its_own_archive(project: Project, archive: Path, tmp_path: Path) -> None:
    use(project, "mine/own.zip")
    copy = tmp_path / "copy"
    (copy / ".dvc").mkdir(parents=True)
    shutil.move(project.root / "mine", copy)  # the file that DVC has compared
    archive = copy / "mine/own.zip"
    (copy / "params.yaml").write_bytes((project.root / "params.yaml").read_bytes())
    project.monkeypatch.setenv("DVC_ROOT", str(project.root))
    project.monkeypatch.chdir(copy)
    project.run("download")
    assert_own_characters(archive)
    assert not (project.root / OUTPUT).exists()


def test_an_archive_at_a_url_is_downloaded_once(project: Project, archive: Path, web: Web) -> None:
    use(project, web.serve("/own.zip", whole(archive.read_bytes())), file_sha256(archive))
    project.run("download")
    first = OUTPUT.read_bytes()
    assert_own_characters(archive)
    OUTPUT.unlink()
    project.run("download")
    assert OUTPUT.read_bytes() == first
    assert [path for path, _, _ in web.log] == ["/own.zip"]
    assert (project.root / ".downloads").is_dir()


def test_an_archive_with_another_hash_is_refused(project: Project, archive: Path, web: Web) -> None:
    got, wanted = file_sha256(archive), "0" * 64
    address = web.serve("/own.zip", whole(archive.read_bytes()))
    for place, verb in ((archive, "found"), (address, "answered with")):
        use(project, place, wanted)
        assert project.refusal("download") == (
            f"{place}: {verb} a file of SHA-256 {got}, but emnist.sha256 is {wanted}; {ARCHIVE_HINT}"
        )
        assert not OUTPUT.exists()


@pytest.mark.parametrize("place", ["mine/absent.zip", "/absent.zip"])
def test_a_missing_archive_is_refused(project: Project, web: Web, place: str) -> None:
    use(project, web.address + place if place.startswith("/") else place, "0" * 64)
    line = project.refusal("download")
    assert "absent.zip: no such file or folder; " in line or "absent.zip: answered 404 Not Found; " in line
    assert line.endswith(ARCHIVE_HINT)
    assert not OUTPUT.exists()


def test_the_official_archive_comes_from_the_first_url_that_has_it(project: Project, archive: Path, web: Web) -> None:
    urls = [
        web.serve("/moved.zip", status(200, b"<!DOCTYPE html><title>We have moved</title>")),
        web.serve("/gzip.zip", whole(archive.read_bytes())),
        web.serve("/later.zip", whole(archive.read_bytes())),
    ]
    hashes = {"sha256": file_sha256(archive), "md5": file_md5(archive)}
    project.change(emnist={"source": "nist", "nist": {"urls": urls, **hashes}})
    project.run("download")
    assert_own_characters(archive, source="nist", kind="")
    assert [path for path, _, _ in web.log] == ["/moved.zip", "/gzip.zip"]


def test_if_no_url_has_the_official_archive_the_error_is_one_line(project: Project, web: Web) -> None:
    page = web.serve("/moved.zip", status(200, b"<!DOCTYPE html><title>We have moved</title>"))
    gone = web.serve("/gone.zip", status(404))
    project.change(emnist={"source": "nist", "nist": {"urls": [page, gone]}})
    assert project.refusal("download") == (
        f"{page}: answered with a web page instead of the archive; {gone}: answered 404 Not Found; {HINT}"
    )
    assert not OUTPUT.exists()


def test_glyphs_are_never_called_emnist(project: Project) -> None:
    assert project.run("download") == "download: built-in glyphs, not EMNIST: 186 train, 62 validation, 124 test\n"
    described = {"data": "built-in glyphs, not EMNIST", "source": "glyphs", "sha256": "", "seed": 42}
    assert describe_source(OUTPUT) == described
    first = OUTPUT.read_bytes()
    project.run("download")
    assert OUTPUT.read_bytes() == first


@pytest.mark.skipif(not REAL.is_file(), reason="the archive of real characters is not beside the repository")
def test_real_characters_are_named_and_capped_at_the_mean(project: Project) -> None:
    use(project, REAL, "b006611152cef4d0b729fe77313cebab643354ddd9241a9d610a606895939730")
    project.run("download")
    assert describe_source(OUTPUT)["data"] == "EMNIST ByClass re-split (81,423 train characters)"
    train, validation, test = (read_characters(OUTPUT, part) for part in ("train", "validation", "test"))
    # 81,423 / 62 = 1313.3 and 17,450 / 62 = 281.5
    for kept, member, cap in (
        (np.concatenate((train.labels, validation.labels)), "train", 1313),
        (test.labels, "test", 281),
    ):
        with zipfile.ZipFile(REAL) as file:
            packed = file.read(f"gzip/emnist-byclass-{member}-labels-idx1-ubyte.gz")
        counts = np.bincount(np.frombuffer(gzip.decompress(packed), np.uint8, offset=8))
        assert counts.max() > cap
        assert np.bincount(kept).tolist() == np.minimum(counts, cap).tolist()
    parts = [images(part) for part in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [len(train), len(validation), len(test)]
    assert len(set().union(*parts)) == sum(map(len, parts))
