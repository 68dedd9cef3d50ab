from pathlib import Path

import numpy as np
import pytest

from pipeline.common import paths
from pipeline.data.storage.line_store import read_attributes, read_height, read_lines, read_vocabulary
from stages import import_lines
from tests.data.transcriptions.test_folder import write_line

PARAMS = """
own_lines:
  mine:
    format: folder
    path: scans
    height: 32
    parts: {by: folders, train: train, validation: dev, test: final}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text("")
    (tmp_path / "params.yaml").write_text(PARAMS)
    write_line(tmp_path / "scans/train", "1", "Été", size=(120, 40))
    write_line(tmp_path / "scans/train", "2", "tea", size=(200, 40))
    write_line(tmp_path / "scans/train", "3", "")
    write_line(tmp_path / "scans/dev", "1", "tea")
    write_line(tmp_path / "scans/final", "1", "taxi")
    write_line(tmp_path / "scans/unused", "1", "x")
    return tmp_path


def test_lines_of_each_part(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import_lines.main("mine")
    path = paths.lines("mine")
    train, test = read_lines(path, "train"), read_lines(path, "test")
    assert (train.texts, test.texts) == (["Été", "tea"], ["taxi"])
    assert train.widths.tolist() == [96, 160]
    assert train.images.shape == (2, 32, 160)
    assert train.groups == ["train", "train"]
    assert train.pages == ["train/1", "train/2"]
    assert not train.are_synthetic
    assert read_height(path) == 32
    assert read_vocabulary(path).characters == " aetÉé"
    assert read_attributes(path)["max_length"] == 4
    assert capsys.readouterr().out.splitlines() == [
        "import_lines: mine: 2 train, 1 validation, 1 test lines",
        "import_lines: mine: left out 1 lines: no text or no outline",
        "import_lines: mine: 1 lines are in no part",
        "import_lines: mine: training lacks 2 characters of other parts: x i",
        "import_lines: mine: 1 texts are in several parts, such as 'tea'",
    ]


def test_the_same_lines_are_the_same_bytes(project: Path) -> None:
    contents = []
    for _ in range(2):
        import_lines.main("mine")
        contents.append(paths.lines("mine").read_bytes())
    assert contents[0] == contents[1]
    assert not np.any(read_lines(paths.lines("mine"), "train").images[:])  # grey pictures without ink


def test_further_characters_join_the_vocabulary(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # The last two are an e and an accent of its own, which are one character.
    (project / "params.yaml").write_text(f"{PARAMS}    characters: xie\u0301\n", encoding="utf-8")
    import_lines.main("mine")
    assert read_vocabulary(paths.lines("mine")).characters == " aeitxÉé"
    assert "training lacks" not in capsys.readouterr().out
