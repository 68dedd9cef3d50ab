"""Short runs of the harnesses: they find no failure in the pipeline, and they do find injected failures."""

from dataclasses import replace
from pathlib import Path

import pytest

from reliability import bad_input, concurrent, kill, memory, repeat
from reliability.bad_files import file_cases
from reliability.bad_settings import settings_cases
from reliability.cases import Case
from reliability.kill import Harness
from reliability.workspaces import LINES, Sources, make_small_workspace, stage_command

SYNTHESIZE = f"synthesize {LINES}"


def test_a_killed_stage_recovers(harness: Harness) -> None:
    assert harness.kill_stage(SYNTHESIZE) == (2, [])


def test_a_full_disk_is_reported_and_does_no_harm(harness: Harness) -> None:
    assert harness.fill_disk(SYNTHESIZE) == (1, [])


def test_a_killed_dvc_recovers(harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Only up to the lines, which takes seconds.
    monkeypatch.setattr(kill, "REPRO", ("repro", "synthesize"))
    short = object.__new__(Harness)
    short.workspace, short.rng = make_small_workspace(tmp_path / "workspace", Sources()), harness.rng
    short.expected = {path: name for path, name in harness.expected.items() if path.startswith("data/")}
    short.durations = {"repro": 6.0}
    assert short.kill_dvc() == (2, [])


def test_a_half_written_output_is_reported(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    path = harness.workspace.root / "data/corpus.json"
    good = path.read_bytes()
    monkeypatch.setattr(harness, "_kill", lambda *_, **__: path.write_bytes(good[:100]))
    _, failures = harness.kill_stage("corpus")
    assert failures[0] == "data/corpus.json is half-written"
    assert path.read_bytes() == good


def test_a_sample_of_bad_input_is_refused(harness: Harness) -> None:
    cases = [*settings_cases(harness.workspace.root), *file_cases(harness.workspace.root)]
    assert len(cases) >= 200
    assert len({(case.kind, case.name) for case in cases}) == len(cases)
    with bad_input._inside(harness.workspace):
        found = [failure for case in cases[::7] for failure in bad_input.try_case(harness.workspace, case)]
        assert bad_input._images().failed == 0
    assert found == []
    assert bad_input.try_case(harness.workspace, cases[0], command=True) == []


def test_accepted_input_is_reported(harness: Harness) -> None:
    good = (harness.workspace.root / "params.yaml").read_bytes()
    with bad_input._inside(harness.workspace):
        failures = bad_input.try_case(harness.workspace, Case("settings", "none", "check", "params.yaml", good))
    assert failures[0] == "settings none (check): was accepted"


def test_lines_are_the_same_with_other_threads(harness: Harness, tmp_path: Path) -> None:
    other = replace(make_small_workspace(tmp_path / "workspace", Sources()), threads=2, hash_seed="random")
    wanted = {path: name for path, name in harness.expected.items() if path.startswith("data/")}
    assert repeat.find_difference(wanted, repeat._lines_from_nothing(other)) == ""


def test_the_same_download_twice_at_once_comes_once(harness: Harness) -> None:
    assert concurrent._same_download(harness.workspace) == []


def test_the_same_stage_twice_at_once(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrent, "SAME", (SYNTHESIZE,))
    assert concurrent._same_stages(harness.workspace, harness.expected) == []


def test_the_peak_memory_of_a_stage_is_measured(harness: Harness) -> None:
    status, peak = memory.measure_peak(harness.workspace, "corpus", 60)
    assert status == 0
    assert 2**25 < peak < 2**30
    assert memory.measure_peak(harness.workspace, "corpus", 0) == (-1, 0)
    assert harness.workspace.run(*stage_command("corpus"))[0] == 0
