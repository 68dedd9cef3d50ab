"""What the command does after the pipeline has run in its folder."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.commands import demo as module
from pipeline.commands.demo import SEEDS_WORKSPACE, WORKSPACE, main
from pipeline.studies.demo_report import PAGE, TABLE, expected_table
from tests.studies.test_demo_report import write_results


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What would make a workspace and run the pipeline in it, in the order of the calls; results are there already."""
    monkeypatch.chdir(tmp_path)
    called: list[tuple[Any, ...]] = []
    monkeypatch.setattr(module, "terminate_children_on_sigterm", lambda: None)
    monkeypatch.setattr(module, "read_params", lambda path: path.stem)
    monkeypatch.setattr(module, "make_workspace", lambda _, *arguments: called.append(("make_workspace", *arguments)))
    monkeypatch.setattr(module, "repro", lambda *arguments: called.append(("repro", *arguments)))
    for workspace in (WORKSPACE, SEEDS_WORKSPACE):
        write_results(workspace)
    return called


def test_the_expected_rates_are_written(commands: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]) -> None:
    main(update_expected=True)
    assert commands == [
        ("make_workspace", SEEDS_WORKSPACE, "demo", "demo_seeds"),
        ("repro", SEEDS_WORKSPACE, "compare"),
    ]
    page = PAGE.read_text(encoding="utf-8")
    assert "| `one` | ce | aligned | 20.0 % ± 1.0 % | 14.6–25.4 % |" in page
    assert page.startswith("# The demo's expected error rates\n\n**Built-in glyphs, not EMNIST.**")
    assert capsys.readouterr().out == f"demo: wrote {TABLE} and {PAGE}\n"


def test_comparing_writes_nothing(commands: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]) -> None:
    TABLE.parent.mkdir(parents=True)
    expected_table(SEEDS_WORKSPACE).to_csv(TABLE, index=False)
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    main(update_expected=False)
    assert commands == [("make_workspace", WORKSPACE, "demo"), ("repro", WORKSPACE)]
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before
    printed = capsys.readouterr().out
    assert all(f"build/demo/reports/{name}" in printed for name in ("index.html", "readings.png", "decoding.md"))
    assert "2 of 2 experiments" in printed
