import json
from pathlib import Path

from pipeline.common.paths import LANGUAGE_MODEL
from pipeline.common.vocabulary import EMNIST
from pipeline.decoding.language_model.store import read_language_model
from tests.decoding.enumeration import WittenBell
from tests.projects import Project


def write_corpus(train: str, validation: str = "xyz", test: str = "uvw") -> None:
    text = {"train": train, "validation": validation, "test": test}
    content = {"name": "own", "source": "archive", "sha256": "0", "documents": dict.fromkeys(text, 1), "text": text}
    Path("data").mkdir(exist_ok=True)
    Path("data/corpus.json").write_text(json.dumps(content))


def test_the_model_counts_the_training_text_alone(project: Project) -> None:
    project.change(language_model={"order": 3, "smoothing": "witten_bell"})
    write_corpus("abra cadabra")
    assert project.run("language_model").startswith("language_model: order 3, witten_bell, of 12 characters: ")
    model = read_language_model(LANGUAGE_MODEL, EMNIST)
    for line in ("abra", "cab", "xyz"):
        assert abs(model.score(line) - WittenBell("abra cadabra", 3).score(line)) < 1e-9
    first = LANGUAGE_MODEL.read_bytes()
    write_corpus("abra cadabra", "other text", "and other")
    project.run("language_model")
    assert LANGUAGE_MODEL.read_bytes() == first


def test_a_missing_corpus_is_refused_in_one_line(project: Project) -> None:
    assert project.refusal("language_model").startswith("data/corpus.json: no text to read ")
    assert not LANGUAGE_MODEL.exists()
