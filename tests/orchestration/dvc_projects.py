"""A small DVC project whose stages show whether they run at the same time."""

import sys
from pathlib import Path

from ruamel.yaml import YAML

MEET = """import pathlib, sys, time
mine, other = sys.argv[1:]
pathlib.Path(mine).write_text("here")
end = time.monotonic() + 60
while not pathlib.Path(other).exists():
    assert time.monotonic() < end, "the other one did not come"
    time.sleep(0.01)
print(mine, "met", other)
"""
"""Ends only if the other one runs at the same time."""


def stage(command: str, deps: list[str], outs: list[str]) -> dict[str, object]:
    """A stage of `dvc.yaml` that runs Python with this command line."""
    return {"cmd": f"{sys.executable} {command}", "deps": deps, "outs": outs}


def init_dvc(folder: Path) -> None:
    """Make the folder a DVC project without git, as `dvc init --no-scm` does, and without reports to DVC's authors."""
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")


def write_dvc_project(folder: Path) -> None:
    """Two stages that must meet, one before and one after both, and one beside them."""
    init_dvc(folder)
    (folder / "meet.py").write_text(MEET)
    (folder / "source").write_text("1")
    stages = {
        "before": stage("-c \"open('a', 'w').write(open('source').read())\"", ["source"], ["a"]),
        "left": stage("meet.py l r", ["a"], ["l"]),
        "right": stage("meet.py r l", ["a"], ["r"]),
        "after": stage("-c \"open('both', 'w').write(open('l').read() + open('r').read())\"", ["l", "r"], ["both"]),
        "beside": stage("-c \"open('b', 'w').write('b')\"", [], ["b"]),
    }
    YAML().dump({"stages": stages}, folder / "dvc.yaml")
