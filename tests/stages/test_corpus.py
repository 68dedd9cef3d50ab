import json
from pathlib import Path

import pytest

from pipeline.common.files import file_sha256
from pipeline.data.sources.brown import ARCHIVE_HINT
from pipeline.settings.base import NO_FILE
from tests.archives import write_folder
from tests.corpora import brown_members, write_brown_archive
from tests.projects import Project
from tests.web import Web, whole

DOCUMENTS = {f"ca{number:02}": f"word{number} , over-all{number} ." for number in range(1, 11)}
OUTPUT = Path("data/corpus.json")
REAL = Path(__file__).parents[2] / "../shared/data/nltk/brown.zip"


@pytest.fixture
def archive(project: Project) -> Path:
    return write_brown_archive(project.root / "brown.zip", DOCUMENTS)


def use(project: Project, archive: Path | str, sha256: str | None = None) -> None:
    key = "url" if "://" in str(archive) else "archive"
    project.change(corpus={"source": "archive", "archive": NO_FILE, "url": None, key: str(archive), "sha256": sha256})


def test_the_text_of_an_archive_is_split_by_document(project: Project, archive: Path) -> None:
    use(project, "brown.zip", file_sha256(archive))
    assert project.run("corpus") == "corpus: 10 documents of the Brown corpus: 16 train, 2 validation, 2 test words\n"
    corpus = json.loads(OUTPUT.read_text())
    words = [word for text in corpus.pop("text").values() for word in text.split()]
    assert sorted(words) == sorted(f"{word}{n}" for word in ("word", "overall") for n in range(1, 11))
    numbers = [[int(word.removeprefix(w)) for word in words[at::2]] for at, w in ((0, "word"), (1, "overall"))]
    assert numbers[0] == numbers[1]
    assert corpus == {
        "name": "10 documents of the Brown corpus",
        "source": "archive",
        "sha256": file_sha256(archive),
        "documents": {"train": 8, "validation": 1, "test": 1},
    }


def test_a_url_gives_the_same_text(project: Project, archive: Path, web: Web) -> None:
    use(project, archive, file_sha256(archive))
    project.run("corpus")
    first = OUTPUT.read_bytes()
    OUTPUT.unlink()
    use(project, web.serve("/brown.zip", whole(archive.read_bytes())), file_sha256(archive))
    project.run("corpus")
    assert OUTPUT.read_bytes() == first


def test_an_archive_with_another_hash_is_refused(project: Project, archive: Path) -> None:
    use(project, archive, "0" * 64)
    got = file_sha256(archive)
    assert project.refusal("corpus") == (
        f"{archive}: found a file of SHA-256 {got}, but corpus.sha256 is {'0' * 64}; {ARCHIVE_HINT}"
    )
    assert not OUTPUT.exists()


def test_a_folder_needs_no_hash_and_gives_the_same_text(project: Project, archive: Path) -> None:
    use(project, archive)
    project.run("corpus")
    first = json.loads(OUTPUT.read_text())
    use(project, write_folder(project.root / "own", brown_members(DOCUMENTS)))
    project.run("corpus")
    assert json.loads(OUTPUT.read_text())["text"] == first["text"]


@pytest.mark.skipif(not REAL.is_file(), reason="the archive of the Brown corpus is not beside the repository")
def test_the_real_text_is_split_by_document(project: Project) -> None:
    use(project, REAL, project.params["corpus"]["brown"]["sha256"])
    project.run("corpus")
    corpus = json.loads(OUTPUT.read_text())
    assert corpus["name"] == "the Brown corpus"
    assert corpus["documents"] == {"train": 400, "validation": 50, "test": 50}
    # 1,161,192 tokens, of which some are punctuation alone.
    words = {part: len(text.split()) for part, text in corpus["text"].items()}
    assert 900_000 < sum(words.values()) < 1_161_192
    assert words["train"] == pytest.approx(8 * words["test"], rel=0.05)
