"""Which room of `pipeline/` may import which: imports run down only."""

from pathlib import Path

import pytest

from tests.imports import ROOT, imports, rooms_of_package

FLOORS = (
    ("commands", "stages"),
    ("studies",),
    ("app", "export", "orchestration"),
    ("inference", "pretrained", "report", "training"),
    ("models",),
    ("objectives", "plots", "tracking"),
    ("data", "decoding"),
    ("kernels", "metrics", "runtime", "settings"),
    ("common",),
)
"""From the top to the ground. A room imports from floors below its own; rooms of one floor do not know each other."""
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def room(path: Path) -> str:
    return path.parts[1] if path.parts[0] == "pipeline" else path.parts[0]


def code_of(name: str) -> list[Path]:
    folder = ROOT / (name if name == "stages" else f"pipeline/{name}")
    return [path.relative_to(ROOT) for path in sorted(folder.rglob("*.py"))]


def test_every_room_has_a_floor() -> None:
    assert sorted(FLOOR) == sorted([*rooms_of_package(), "stages"])


@pytest.mark.parametrize("name", FLOOR)
def test_imports_run_down(name: str) -> None:
    upwards = [
        f"{path} imports {found}"
        for path in code_of(name)
        for found in sorted(imports(path))
        if room(found) in FLOOR and room(found) != name and FLOOR[room(found)] <= FLOOR[name]
    ]
    assert upwards == []
