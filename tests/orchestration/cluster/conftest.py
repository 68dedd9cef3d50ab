"""A small DVC project with a folder as its remote."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.orchestration.cluster.node import FOLDER
from tests.orchestration.dvc_projects import init_dvc, stage

WORK = """import pathlib, sys
out, *inputs = sys.argv[1:]
files = [file for path in map(pathlib.Path, inputs) for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
pathlib.Path(out).parent.mkdir(exist_ok=True)
pathlib.Path(out).write_text(out + "(" + " ".join(file.read_text() for file in files) + ")")
print("made", out)
"""
"""Writes the output's name and the inputs' texts."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`check`, two stages after it, one that reads the folder of the first, one with a user's file, and a report."""
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.setenv(FOLDER, str(tmp_path / "node"))
    init_dvc(root)
    with (root / ".dvc/config").open("a") as config:
        config.write("    remote = store\n['remote \"store\"']\n    url = ../../remote\n")
    (root / "work.py").write_text(WORK)
    (root / ".dvcignore").write_text("own\n")
    (root / "own").mkdir()
    (root / "own/file").write_text("mine")
    (root / "source").write_text("text")
    stages = {
        "check": stage("work.py ok", ["work.py"], ["ok"]),
        "left": stage("work.py parts/l source ok", ["ok", "source", "work.py"], ["parts/l"]),
        "right": stage("work.py other/r ok", ["ok", "work.py"], ["other/r"]),
        "both": stage("work.py both parts", ["parts", "work.py"], ["both"]),
        "imported": stage("work.py taken own/file", ["own/file", "work.py"], ["taken"]),
        "report": {
            **stage("work.py report both taken other/r", ["both", "other/r", "taken"], []),
            "outs": [{"report": {"cache": False}}],
        },
    }
    YAML().dump({"stages": stages}, root / "dvc.yaml")
    return root
